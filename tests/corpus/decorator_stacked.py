def one(f):
    return f


def two(n):
    def wrap(f):
        def inner(*args):
            return f(*args) + n
        return inner
    return wrap


@one
@two(1)
@two(
    2
)
def a(x):
    return x


@one
@two(5)
def never(x):
    return x


print(a(1))
