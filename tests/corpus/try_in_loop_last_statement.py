def f(items):
    n = 0
    for item in items:
        try:
            n += 1 / item
        except ZeroDivisionError:
            n += 100
    while n > 300:
        try:
            n -= 1
        finally:
            n -= 1
    return n


print(f([1, 0, 2, 0, 0, 0]))
