def f(a):
    try:
        a = 1 / a
    except ZeroDivisionError:
        a = 0
    return a


print(f(0))


def g(a):
    try:
        return 1 / a
    except ZeroDivisionError as error:
        return str(error)


print(g(0))
