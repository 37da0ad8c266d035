def f(n):
    if n > 2:
        raise ValueError(n)
    f(n + 1)
    print("never")


f(0)
print("never")
