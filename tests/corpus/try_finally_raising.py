def f(a):
    try:
        a = 1 / a
    finally:
        print("cleaned")
    return a


try:
    f(0)
except ZeroDivisionError:
    print("through")
