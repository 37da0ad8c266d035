def f(a):
    if a:
        return 1


print(f(0))
if f(1):
    print('end')