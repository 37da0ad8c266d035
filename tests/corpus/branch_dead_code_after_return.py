def f(a):
    return a
    a += 1
    if a:
        a += 2
    return a


def g(a):
    raise ValueError(a)
    return a


def h():
    while True:
        return 1
    return 2


print(f(1), h())
try:
    g(1)
except ValueError:
    print("raised")
