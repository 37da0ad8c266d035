def f(n):
    gen = (
        x
        for x in range(n)
        if x % 2
    )
    return next(gen, None)


print(f(0), f(5))
unused = (
    x
    for x in range(3)
)
part = (x
        for x in range(3))
next(part)
