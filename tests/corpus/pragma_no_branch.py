def f(a):
    if a:  # pragma: no branch
        a = 1
    while a:  # pragma: no branch
        return a
    return 2


def g(a):
    for x in a:  # pragma: no branch
        return x


def h(a):
    if (
        a  # pragma: no branch
        and a
    ):
        a = 2
    return a


print(f(1), g([1]), h(1))
