def f(a):
    try:
        1 / a
    except ZeroDivisionError:
        pass


def g(a):
    for x in a:
        try:
            1 / x
        except ZeroDivisionError:
            pass
    return a


f(0)
g([0, 1])
