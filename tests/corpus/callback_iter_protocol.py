class Up:
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return self

    def __next__(self):
        if not self.n:
            raise StopIteration
        self.n -= 1
        return self.n


class Sequence:
    def __getitem__(self, i):
        if i > 2:
            raise IndexError
        return i


print(list(Up(3)), [x for x in Sequence()], sum(Up(2)))
a, b = Up(2)
for x in iter(lambda: len("ab"), 2):
    print("never")
