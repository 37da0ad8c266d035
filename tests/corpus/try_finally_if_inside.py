def f(a, b):
    try:
        if a:
            return 1
    finally:
        if b:
            print("b")
        else:
            print("not b")
    return 2


print(f(0, 0))
print(f(1, 1))


def g(a, b):
    try:
        a = 1 / a
    finally:
        if b:
            a = 5
    return a


print(g(1, 0))
try:
    g(0, 1)
except ZeroDivisionError:
    print("z")
