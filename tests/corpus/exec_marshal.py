import marshal


def f(n):
    if n:
        return "yes"
    return "no"


copy = marshal.loads(marshal.dumps(f.__code__))
g = type(f)(copy, globals())
print(g(0))
