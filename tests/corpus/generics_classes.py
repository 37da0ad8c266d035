# requires: 3.12
class Box[T]:
    item: T

    def __init__(self, item: T):
        self.item = item

    def map[U](self, f) -> "Box[U]":
        return Box(f(self.item))


class Pair[
    A,
    B,
](
    Box[A],
):
    other: B


class One[T]: pass


print(Box(1).map(str).item, Pair(2).item, One[int])
