import io


def f(a):
    with io.StringIO() as out:
        if a: out.write("x")
    return a


f(0)
f(1)


def g(a):
    with io.StringIO() as out:
        if a: return out.getvalue()


g(0)
