def f(a):
    try:
        if a == 1:
            return "try"
        if a == 2:
            raise KeyError
        if a == 3:
            raise ValueError
    except KeyError:
        return "except"
    except ValueError:
        if a:
            return "other except"
    else:
        if a == 4:
            return "else"
    finally:
        if a == 5:
            print("finally")
    return "end"


print([f(n) for n in (0, 2, 3, 4)])
