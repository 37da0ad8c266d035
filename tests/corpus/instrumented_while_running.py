def f():
    for i in range(3):
        yield i
        if i == 1:
            helper(i)


def helper(i):
    if i:
        return [g() for _ in range(2)]
    return None


def g():
    return 1


it = f()
for x in it:
    print(x)
