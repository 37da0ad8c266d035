def f(a):
    try:
        return a
    finally:
        print("finally")


def g(a):
    try:
        if a:
            return 1
        b = 2
    finally:
        print("finally")
    return b


print(f(1), g(0), g(1))
