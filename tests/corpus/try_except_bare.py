def f(a):
    try:
        a.x
    except:
        return 1
    return 2


print(f(1))
