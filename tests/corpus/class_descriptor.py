class Check:
    def __set_name__(self, owner, name):
        self.name = "_" + name

    def __get__(self, obj, owner=None):
        if obj is None:
            return self
        return getattr(obj, self.name)

    def __set__(self, obj, value):
        if not isinstance(value, int):
            raise TypeError(value)
        setattr(obj, self.name, value)


class A:
    n = Check()


a = A()
a.n = 3
print(a.n)
