def f(a):
    if 1 and a:
        x = 1
    else:
        x = 2
    if 0 or a:
        x += 10
    if a and 0:
        x += 100
    if a or 1:
        x += 1000
    if not 0:
        x += 1
    return x


print(f(0))
print(f(1))
