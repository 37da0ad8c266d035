import io
with io.StringIO() as out: out.write("a")
with io.StringIO() as out: pass


def f(a):
    with io.StringIO() as out: return a


print(f(1))
