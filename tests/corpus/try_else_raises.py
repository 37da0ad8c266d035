def f(a):
    try:
        pass
    except ValueError:
        return "no"
    else:
        raise ValueError(a)
    finally:
        print("f")


try:
    f(1)
except ValueError:
    print("v")
