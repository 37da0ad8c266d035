class V:
    def __init__(self, n):
        self.n = n

    def __add__(self, other):
        return V(self.n + other.n)

    def __matmul__(self, other):
        return self.n * other.n

    def __iadd__(self, other):
        self.n += other.n
        return self


v = (
    V(1)
    + V(2)
    + V(3)
)
v += (
    V(4)
)
print(v.n, v
      @ V(2))
