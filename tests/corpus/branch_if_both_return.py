def f(a):
    if a:
        return 1
    else:
        return 2


def g(a):
    if a:
        return 1
    else:
        return 2
    print("never")


print(f(0), f(1), g(1))
