def f(a):
    try:
        1 / a
    except ZeroDivisionError:
        {}[a]
        print("never")


try:
    f(0)
except KeyError:
    print("key")
