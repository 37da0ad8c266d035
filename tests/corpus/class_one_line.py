class A: pass
class B(A): x = 1
class C: x = 1; y = 2
class D: ...
class E(Exception): pass


class F:
    class G: pass
    def f(self): return 1
    def g(self): pass


print(B.x, C.y, F().f())
if B.x:
    class H: pass
