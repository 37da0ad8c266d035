import io


def f():
    with io.StringIO() as out:
        out.write(1 / 0)
        print("never")
    return "never"


try:
    f()
except ZeroDivisionError:
    print("through")
