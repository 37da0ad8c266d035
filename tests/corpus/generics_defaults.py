# requires: 3.13
class C[
    T = int,
    *Ts = *tuple[int, str],
]:
    pass


def f[T = str](x: T) -> T: return x


type A[T = float] = list[T]
print(C.__type_params__[0].__default__, f(1), A.__type_params__[0].__default__)
