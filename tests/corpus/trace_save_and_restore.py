import sys


def f(n):
    saved = sys.gettrace()
    sys.settrace(saved)
    if n:
        return "yes"
    return "no"


sys.settrace(sys.gettrace())
print(f(1))
for i in range(2):
    sys.settrace(sys.gettrace())
print(f(0))
