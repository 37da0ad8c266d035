class A:
    """Outer."""

    class B:
        """Inner."""

        class C:
            def f(self):
                class D:
                    x = 1

                return D.x

    def never(self):
        class E:
            y = 2

        return E


print(A.B.C().f())
