# requires: 3.12
def first[T](items: list[T]) -> T:
    return items[0]


def pair[
    A,
    B: (int, str),
](
    a: A,
    b: B,
) -> tuple[A, B]:
    if a:
        return a, b
    return b, a


def one[T](x: T) -> T: return x
def never[T](x): return x


async def later[*Ts, **P](x):
    return x


print(first([1]), pair(1, 2), one(3), first.__type_params__)
