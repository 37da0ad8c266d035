def f(a):
    try:
        return {}[a]
    except (
        ValueError,
        KeyError,
    ) as e:
        return repr(
            e
        )


print(f(1))


def g(a):
    try:
        return [][a]
    except (ValueError,
            KeyError):
        return 1
    except IndexError:
        return 2


print(g(0))
