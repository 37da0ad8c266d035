def f(a):
    if a: b = 1
    else: b = 2
    return b


def g(a):
    if a: return 1
    return 0


def h(a):
    if a: pass
    return a


print(f(1), g(0), h(1), h(0))
if f(0) == 2: print("two")
if f(0) == 1: print("one")
