def make(n):
    return [n]


def f(
    a=make(1),
    b=make(
        2
    ),
    *,
    c={
        "k": 1,
        "l": make(3),
    },
    d=1 if make(0) else 2,
):
    return a, b, c, d


print(f())


def g(a, b=(
        1,
        2)): return a, b


print(g(1))
