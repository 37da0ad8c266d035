def f(a):
    try:
        a = 1 / a
    finally:
        a = 3
    return a


try:
    f(0)
except ZeroDivisionError:
    pass
print(f(1))
