def f(
    a: int,
    b: "str" = "x",
    *rest: int,
    c: float = 1.0,
) -> tuple[
    int,
    str,
]:
    return a, b


def g(a,
      b):
    """Say nothing."""
    return a


print(f(1), g(1, 2), f.__annotations__["a"])
