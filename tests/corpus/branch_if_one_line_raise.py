def check(a):
    if a < 0: raise ValueError(a)
    return a


def check_taken(a):
    if a < 0: raise ValueError(a)
    return a


def check_both(a):
    if a < 0: raise ValueError(a)
    return a


check(1)
try:
    check_taken(-1)
except ValueError:
    pass
for value in (1, -1):
    try:
        check_both(value)
    except ValueError:
        pass
