def f(*args, a=1, **kw):
    return args, a, kw


def g(a, /, b, *, c):
    return a + b + c


print(f(*[1, 2], *(3,), **{"a": 2}, **{"z": 1}))
print(g(
    *[1],
    2,
    **{
        "c": 3,
    },
))
first, *rest = range(3)
print([*rest, *"ab"], {**{"a": 1}, "b": 2})
