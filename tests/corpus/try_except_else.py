def f(a):
    try:
        b = 1 / a
    except ZeroDivisionError:
        b = 0
    else:
        b += 1
    return b


print(f(0), f(1))
