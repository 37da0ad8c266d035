import typing


class C:
    x: int
    y: "list[int]" = []

    def f(self, a: int = 1) -> str:
        return str(a)


def g(a: "int", b: C) -> None:
    pass


print(sorted(typing.get_type_hints(C)), sorted(typing.get_type_hints(g)))
