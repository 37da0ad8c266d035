def f(a):
    try:
        return 1 / a
    except ZeroDivisionError:
        return "zero"
    finally:
        print("always")


def g(a):
    try:
        r = 1 / a
    except ZeroDivisionError:
        return "zero"
    else:
        return r
    finally:
        print("always")


print(f(1), f(0), g(0))
