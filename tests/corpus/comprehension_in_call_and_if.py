def f(items):
    if any(x > 2 for x in items):
        return 1
    if all(
        x
        for x in items
    ):
        return 2
    return sum(
        x
        for x in items
        if x
    )


print(f([3]), f([0, 1]))
