def f(x):
    if (lambda y: y > 1)(x):
        return 1
    while (lambda: x < 0)():
        x += 1
    return x and (lambda: 3)()


print(f(0), f(2), f(-1))
