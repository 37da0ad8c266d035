def base(n):
    return type("Made", (), {"n": n})


class A(
    base(1),
    base(
        2
    ),
):
    m = 3


class B(base(4)): pass


print(A.n, B.n)
