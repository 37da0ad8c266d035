def f(a, b, c):
    x = (a
         or b
         or c)
    y = (a
         and b
         and c)
    z = a if (b and
              c) else b
    return x, y, z


print(f(0, 1, 2))
print(f(1, 0, 2))
