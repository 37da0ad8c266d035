def f(i):
    if i < 2900:
        return 1
    return 2


def g(i):
    if i == 2999:
        return "last"


total = 0
for i in range(3000):
    total += f(i)
    g(i)
print(total)
