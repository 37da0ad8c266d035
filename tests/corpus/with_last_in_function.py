import io


def f(a):
    with io.StringIO() as out:
        out.write(a)


def g(a):
    with io.StringIO() as out:
        if a:
            out.write(a)


def h(a):
    with io.StringIO() as out:
        for x in a:
            out.write(x)


f("x")
g("")
g("y")
h("")
h("ab")
