n = 0
while True:
    n += 1
    if n > 3:
        break
print(n)


def f(n):
    while True:
        n += 1
        if n > 3:
            return n


print(f(0))
