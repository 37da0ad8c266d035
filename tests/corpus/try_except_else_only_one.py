def f(a):
    try:
        b = 1 / a
    except ZeroDivisionError:
        b = 0
    else:
        b += 1
    return b


def g(a):
    try:
        b = 1 / a
    except ZeroDivisionError:
        b = 0
    else:
        b += 1
    return b


f(0)
g(1)
