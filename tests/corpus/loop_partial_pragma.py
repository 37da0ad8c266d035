def f(n):
    while n < 3:  # pragma: no branch
        n += 1
        if n == 2:
            return n
    return n


never_ends = True


def g(n):
    while never_ends:
        n += 1
        if n > 3:
            return n


print(f(0), g(0))
for i in range(3):  # pragma: no branch
    if i == 1:
        break
if i == 1:  # pragma: no branch
    print("one")
