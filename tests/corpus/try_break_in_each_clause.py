def f(a):
    while True:
        try:
            if a == 1:
                break
            if a == 2:
                raise KeyError
        except KeyError:
            break
        else:
            if a == 3:
                break
        finally:
            print("finally")
        a += 2
    return a


print(f(0), f(1), f(3))
