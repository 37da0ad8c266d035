n = 3
while n:
    n -= 1
while n > 0:
    n -= 1
print(n)


def f(n):
    while n:
        n -= 1


f(2)
f(0)
