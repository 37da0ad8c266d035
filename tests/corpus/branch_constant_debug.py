if __debug__:
    print("debug")
else:
    print("optimised")


def f():
    if __debug__:
        return 1
    return 2


def g():
    if not __debug__:
        return 1
    return 2


print(f(), g())
