def f():
    n = 0
    while True:
        n += 1
        if n == 2: raise StopIteration(n)


try:
    f()
except StopIteration:
    print("stopped")
