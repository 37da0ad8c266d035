def f(a):
    if a:
        return 'é'
    return 2


print(f(0))
