import io


def f(a):
    with io.StringIO() as out:
        out.write(a)
        a = out.getvalue()
    return a


print(f("x"))
with io.StringIO():
    print("inside")
print("outside")
