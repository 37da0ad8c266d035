# requires: 3.14
x: int
y: list[
    int
] = []


def f(
    a: int,
    b: str,
) -> None:
    z: float = 1.0


class C:
    v: int
    w: str = ""


f(1, "")
