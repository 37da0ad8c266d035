def f(x):
    try:
        match x:
            case 0:
                return 1 / x
            case 1:
                raise KeyError(x)
            case _:
                y = "fine"
    except ZeroDivisionError:
        y = "zero"
    finally:
        print("f")
    return y


print(f(0), f(2))
try:
    f(1)
except KeyError:
    print("key")
