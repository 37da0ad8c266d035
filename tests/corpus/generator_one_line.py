def a(): yield
def b(): yield 1; yield 2
def c(n): yield from range(n)
def d(): return (yield)


print(list(a()), list(b()), list(c(2)), list(d()))
unused = a()
