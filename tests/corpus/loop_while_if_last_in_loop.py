def f(n):
    out = 0
    while n:
        n -= 1
        if n == 1:
            out += 1
    return out


print(f(3))
