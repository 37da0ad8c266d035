class Swallow:
    def __enter__(self):
        return self

    def __exit__(self, *args):
        return args[0] is not None


def f(a):
    with (
        Swallow() as x,
        Swallow() as y,
    ):
        a = 1 / a
        print(x is y)
    return a


print(f(0), f(1))
for i in range(2):
    with Swallow():
        if i:
            raise KeyError(
                i,
            )
        print(i)
