def note(x):
    return x


def f(
    a: note(int),
    *b: note(str),
    c: note(float) = 1.0,
    **d: note(bytes)
) -> note(list):
    v: note(set) = set()
    w: note(dict)
    return v


def never(a: note(int)) -> None:
    return None


print(f(1), f.__annotations__["a"])
