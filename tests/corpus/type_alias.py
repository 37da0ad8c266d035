# requires: 3.12
type A = int
type B[T] = list[T]
type C = dict[
    str,
    int,
]
type D = Undefined
print(A.__value__, B.__value__, C)


def f():
    type Local = A
    return Local.__value__


print(f())
try:
    D.__value__
except NameError:
    print("undefined")
