def a(n):
    b(n)
    print("after a")


def b(n):
    for i in range(2):
        c(n)
    print("after b")


def c(n):
    if n:
        raise LookupError(n)
    print("c")


a(0)
try:
    a(1)
except LookupError:
    print("caught")
