print([x for x in range(3)])
print({x for x in range(3) if x})
print({x: y for x in range(2) for y in range(2)})
print(list(x for x in range(3)))
print([x for x in []])


def f(a):
    return [x for x in a if x if x > 1]


f([0, 1, 2])
f([])
