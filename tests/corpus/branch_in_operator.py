def f(a):
    if a in (1, 2, 3):
        return "in"
    if a not in {4, 5}:
        return "out"
    return "between"


print(f(4), f(1))
