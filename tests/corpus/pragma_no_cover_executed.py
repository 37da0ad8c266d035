def f(a):
    x = 1  # pragma: no cover
    if a:
        y = [  # pragma: no cover
            1,
            2,
        ]
    with open(__file__) as s:  # pragma: no cover
        s.read(0)
    return x


f(0)
f(1)


@property  # pragma: no cover
def g():
    return 1


match f(1):
    case 1:
        pass
    case _:  # pragma: no cover
        pass
