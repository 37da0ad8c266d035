def make(n):
    def inner(x):
        if x > n:
            return "more"
        return "less"

    return inner


functions = [make(n) for n in range(5)]
print([f(2) for f in functions])
print(len({f.__code__ for f in functions}))
