def f(a):
    if a:
        return 1
    return 2



def g(a):
    while a:
        a -= 1
    return a

print(f(1), g(2))
