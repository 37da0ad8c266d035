def f(a):
    return 1 if a else 2


def g(a):
    return (
        "yes"
        if a
        else "no"
    )


def h(a, b):
    return (
        1 if a
        else 2 if b
        else 3
    )


print(f(0), f(1), g(1), h(0, 0), h(0, 1))
x = 1 if f(0) == 1 else 2
y = [
    1 if f(0) == 1 else 2,
    3 if f(1) == 1
    else 4,
]
print(x, y)
