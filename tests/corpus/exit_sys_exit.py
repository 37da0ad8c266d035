import sys


def f(n):
    try:
        if n:
            sys.exit(4)
    finally:
        print("finally")


f(0)
f(1)
print("never")
