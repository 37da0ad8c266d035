def f(a):
    return a or "part"
