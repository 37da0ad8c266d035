def f(a):
    return [
        (
            "big" if x > 2
            else "small"
        )
        for x in a
        if (
            x
            and x != 3
        )
    ]


print(f([0, 1, 3, 5]))
