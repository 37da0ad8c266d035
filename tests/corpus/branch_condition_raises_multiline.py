def boom(x):
    raise KeyError(x)


def f(a):
    if (a
            and boom(a)
            or a):
        return 1
    return 2


try:
    f(1)
except KeyError:
    print("raised")
print(f(0))
