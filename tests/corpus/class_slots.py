class P:
    __slots__ = (
        "x",
        "y",
    )

    def __init__(self, x, y=0):
        self.x = x
        self.y = y


p = P(1)
try:
    p.z = 1
except AttributeError:
    print("no z")
