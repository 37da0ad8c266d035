import functools


class Key:
    def __init__(self, n):
        self.n = n

    def __lt__(self, other):
        if self.n == other.n:
            return False
        return self.n < other.n

    def __hash__(self):
        return hash(self.n)

    def __eq__(self, other):
        return self.n == other.n


def compare(a, b):
    return a - b


print(min(Key(2), Key(1)).n)
print(sorted([2, 1], key=functools.cmp_to_key(compare)))
print({Key(1): 1}[Key(1)])
print(functools.reduce(
    lambda a, b: a + b,
    [1, 2, 3],
))
