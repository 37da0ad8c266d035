def f(a):
    try:
        try:
            raise ValueError(a)
        except ValueError:
            if a:
                raise
            print("swallowed")
    except ValueError as e:
        print("outer", e)
    return a


f(0)
f(1)
