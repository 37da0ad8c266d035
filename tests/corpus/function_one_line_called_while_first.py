def f(): return g()
def g(): return h(1)
def h(x): return (lambda: x)()


for _ in range(2): f()
print(f(), f())
