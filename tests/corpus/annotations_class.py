class C:
    x: int
    y: int = 1
    z: "C | None" = None
    w: list[
        int
    ]

    def f(self, a: int) -> "C":
        b: int = a
        e: str
        return self

    class D:
        u: float = 1.0


print(C().f(1).y, C.__annotations__["x"])
