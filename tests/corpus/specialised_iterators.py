def f(items):
    n = 0
    for item in items:
        n += 1
    return n


kinds = [[1], (1, 2), range(3), "abc", {1: 2}, {1}, iter([1]), (x for x in range(2)), []]
print([f(kind) for kind in kinds * 30][:len(kinds)])
