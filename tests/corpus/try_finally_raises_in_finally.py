def f(a):
    try:
        1 / a
    finally:
        {}[a]
        print("never")


for n in (0, 1):
    try:
        f(n)
    except KeyError:
        print("key")
