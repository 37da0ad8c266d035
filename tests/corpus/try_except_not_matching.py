def f(a):
    try:
        raise KeyError(a)
    except ValueError:
        print("no")
    except TypeError:
        print("no")


try:
    f(1)
except KeyError:
    print("outer")
