def a(): return 1
def b(): pass
def c(x): x += 1; return x
def d(x, y=2): return x if x else y
def never(): return 3
def e(): ...


print(a(), b(), c(1), d(0), e())
