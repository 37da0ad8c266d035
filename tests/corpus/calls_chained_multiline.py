class B:
    def __init__(self):
        self.parts = []

    def add(self, x):
        self.parts.append(x)
        return self

    def maybe(self, x):
        if x:
            self.parts.append(x)
        return self


print(
    B()
    .add(1)
    .maybe(0)
    .maybe(
        2,
    )
    .add(
        3
    )
    .parts
)
(B()
 .add(1))
