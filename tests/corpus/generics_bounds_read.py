# requires: 3.12
def f[T: int](x: T) -> T:
    return x


class C[
    T: (
        int,
        str,
    ),
]:
    pass


class D[T](C[T]): pass


print(f(1), f.__type_params__[0].__bound__)
print(C.__type_params__[0].__constraints__, D[int])
