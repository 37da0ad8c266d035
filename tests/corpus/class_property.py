class T:
    def __init__(self):
        self._c = 0

    @property
    def c(self):
        return self._c

    @c.setter
    def c(self, value):
        if value < -273:
            raise ValueError
        self._c = value

    @c.deleter
    def c(self):
        self._c = None

    @staticmethod
    def s(): return 1

    @classmethod
    def k(cls):
        return cls.s()

    never = property(lambda self: self._c)


t = T()
t.c = 5
print(t.c, T.s(), T.k())
