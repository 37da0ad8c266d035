def f(n):
    while True:
        n += 1
        if n > 3:
            break
    else:
        print("never")
    return n


print(f(1))
