def f(a=None):
    if a is None:
        a = 1
    if a is not None:
        a += 1
    return a


def g(a):
    if a is None: return 0
    if a is not None and a > 3: return 1
    return 2


print(f(), g(None), g(1))
