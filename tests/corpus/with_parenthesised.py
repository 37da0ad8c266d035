import io


def f(a):
    with (
        io.StringIO() as x,
        io.StringIO() as y,
    ):
        x.write(a)
        y.write(a)
    return a


def g(a):
    with (
        io.StringIO() as x,
        io.StringIO(
            a
        ),
    ):
        if a:
            return x
    return a


print(f("a"), g(""))
g("a")
