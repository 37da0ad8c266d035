# requires: 3.14
class C:
    x: int
    if len("a") == 1:
        y: str
    else:
        z: bytes


def f(a: (1 if C else 2)) -> [x for x in range(2)]: return a


print(C.__annotate__(1), f.__annotate__(1))
print(C.__annotations__)
