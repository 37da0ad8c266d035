import io


def f(a):
    try:
        with io.StringIO() as out:
            if a:
                return 1 / (a - 1)
            out.write("x")
    except ZeroDivisionError:
        return "zero"
    finally:
        print("finally")
    return "end"


print(f(0), f(1), f(2))
