def f(a):
    if a:
        try:
            a = int(a)
        except ValueError:
            a = 0
    else:
        try:
            a = a.x
        except AttributeError:
            a = 1
        finally:
            a = a or 2
    if a > 1:
        return a


print(f("3"), f("x"), f(None))
