# python: -O
if __debug__:
    print("debug")
else:
    print("optimised")


def f(a):
    assert a, "not looked at"
    if __debug__:
        return 1
    return 2


print(f(0))
