def f(a):
    if a:
        pass
    else:
        pass


def g(a):
    if a:
        pass


def h(a):
    for _ in a:
        pass
    else:
        pass


def i(a):
    if a:
        ...
    elif a is None:
        ...


f(1)
g(0)
h([])
h([1])
i(0)
