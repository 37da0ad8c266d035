def f(it):
    while True:
        try:
            x = next(it)
        except StopIteration:
            return "end"
        else:
            if x:
                continue
        print("zero")


print(f(iter([1, 0])))
