import io


def f(a):
    with io.StringIO() as out:
        if a:
            return 1
        out.write("x")
    return 2


def g(a):
    with io.StringIO():
        return a


def h(a):
    with io.StringIO() as out:
        return (
            out,
            a,
        )


print(f(0), f(1), g(1), h(1)[1])
