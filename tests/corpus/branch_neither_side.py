def never(a):
    if a:
        return 1
    return 2


def raises_first(a):
    if a.missing:
        return 1
    return 2


try:
    raises_first(3)
except AttributeError:
    print("no attribute")
