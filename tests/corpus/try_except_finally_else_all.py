def f(a):
    try:
        r = 1 / a
    except ZeroDivisionError:
        r = "zero"
    except TypeError:
        r = "type"
    else:
        r = "fine"
    finally:
        print("always")
    return r


print(f(1), f(0), f("x"))
