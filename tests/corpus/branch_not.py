def f(a):
    if not a:
        return 1
    if not not a:
        return 2
    return 3


print(f(1))
while not f(1) == 2:
    print("never")
