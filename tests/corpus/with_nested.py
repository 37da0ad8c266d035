import io


def f(n):
    with io.StringIO() as a:
        with io.StringIO() as b:
            with io.StringIO() as c:
                if n == 1:
                    return "inner"
                c.write("c")
            if n == 2:
                return "middle"
            b.write("b")
        a.write("a")
    return "end"


print(f(0), f(1), f(2))
