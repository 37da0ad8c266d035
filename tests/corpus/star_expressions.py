def f(a):
    return *a, 1


def g(a):
    yield *a, 2


x = *[1], *[
    2,
    3,
]
t = {}
t[*x] = 1
print(f([0]), list(g([1])), x, t[1, 2, 3])
