def f(a):
    if a:  # pragma: no cover
        return 1
    else:
        return 2


def g():  # pragma: no cover
    x = 1
    return x


class C:  # pragma: no cover
    def m(self):
        return 1


def h(a):
    for x in a:  # pragma: no cover
        print(x)
    try:
        a = a[0]
    except IndexError:  # pragma: no cover
        a = None
    return a


print(f(0), h([1]))
x = 1  # pragma: no cover
if x:
    y = 2
else:  # pragma: no cover
    y = 3
