def f(n):
    out = 0
    for i in range(n):
        for j in range(i): out += j
    return out


print(f(4))
