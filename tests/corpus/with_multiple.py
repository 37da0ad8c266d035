import io


def f(a):
    with io.StringIO() as x, io.StringIO() as y:
        x.write(a)
        y.write(a)
        if a:
            return x.getvalue() + y.getvalue()
    return None


print(f(""), f("a"))
