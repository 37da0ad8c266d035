def check(a):
    try:
        if a < 0: raise ValueError(a)
        a += 1
    except ValueError:
        a = 0
    return a


print(check(-1))


def check_again(a):
    try:
        if a < 0: raise ValueError(a)
    except ValueError:
        a = 0
    return a


print(check_again(1), check_again(-1))
