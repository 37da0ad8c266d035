def f(a):
    try:
        1 / a
    except ZeroDivisionError as e:
        raise ValueError(
            "wrapped",
            a,
        ) from e


def g():
    try:
        f(0)
    except ValueError:
        raise


def h():
    raise KeyError from None


for call in (g, h):
    try:
        call()
    except (ValueError, KeyError) as e:
        print(type(e), e.__cause__)
