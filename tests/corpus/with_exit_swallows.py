class Swallow:
    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        return True


def f():
    with Swallow():
        raise ValueError
    return "after"


def g(a):
    with Swallow():
        return 1 / a
    return "after"


def h(a):
    with Swallow():
        1 / a


print(f(), g(0), g(1))
h(0)
with Swallow():
    1 / 0
    print("never")
