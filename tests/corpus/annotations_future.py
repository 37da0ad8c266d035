from __future__ import annotations

x: Undefined = 1


class C:
    y: AlsoUndefined
    z: list[
        Missing
    ] = []


def f(a: Nope) -> Never_Mind:
    b: NotLooked = a
    return b


print(f(1), C.__annotations__["y"])
