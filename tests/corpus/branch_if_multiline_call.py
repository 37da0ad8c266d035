def both(a, b):
    return a and b


def f(x):
    if both(
        x,
        x > 2,
    ):
        print(
            "yes",
            x,
        )
    else:
        print(
            "no",
            x,
        )


f(1)
f(3)
