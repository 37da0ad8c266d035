x: int = 1
y: "str"
z: list[int] = [
    1,
    2,
]
w: dict[
    str,
    int,
] = {}


class C: pass


c = C()
c.a: int = 3
(d): int = 4
print(x, z, c.a)
