def a(x):
    if x:
        return 1
    return 2


def b(x):
    if x:
        return 1
    return 2


(c, d) = (lambda x: x), (lambda x: x)
e = lambda x: x
print(a(0), b(1), c(1), e(2))
