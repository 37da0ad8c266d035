class A:
    x = 1

    def __init__(self, y):
        self.y = y

    def get(self):
        return self.x + self.y

    def never(self):
        return 0


class B(A):
    def get(self):
        return super().get() + 1


print(B(1).get())
