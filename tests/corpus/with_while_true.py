import io


def f(n):
    while True:
        with io.StringIO() as out:
            n -= 1
            if n == 2:
                continue
            if not n:
                return out.getvalue()
            out.write("x")


print(repr(f(4)))
