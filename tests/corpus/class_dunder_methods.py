class V:
    def __init__(self, *p): self.p = p
    def __len__(self): return len(self.p)
    def __getitem__(self, i): return self.p[i]
    def __iter__(self): return iter(self.p)
    def __bool__(self): return bool(self.p and self.p[0])
    def __eq__(self, o): return self.p == o.p
    def __add__(self, o):
        return V(*(
            a + b
            for a, b in zip(self, o)
        ))
    def __never__(self): return 0


v = V(1, 2)
if v and not V(0):
    print(len(v), v[0], list(v + v), v == v)
