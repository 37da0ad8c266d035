def f(n):
    if n:
        return "yes"
    return "no"


def g(n):
    return n


copy = f.__code__.replace(co_name="copy")
print(type(f)(copy, globals())(1))
other = g.__code__.replace(co_firstlineno=g.__code__.co_firstlineno)
g.__code__ = other
print(g(1))
g.__code__ = f.__code__
print(g(0))
