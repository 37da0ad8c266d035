def f(n):
    while True:
        try:
            n -= 1
            if n == 3:
                continue
            if not n:
                return "end"
        except ValueError:
            break
        finally:
            print(n)


print(f(5))
