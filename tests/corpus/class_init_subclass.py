class Base:
    registry = []

    def __init_subclass__(cls, /, name=None, **kw):
        super().__init_subclass__(**kw)
        if name is not None:
            cls.registry.append(name)

    def __class_getitem__(cls, item):
        return item

    def __set_name__(self, owner, name):
        self.name = name


class A(Base, name="a"):
    part = Base()


class B(Base):
    pass


print(Base.registry, A.part.name, Base[3])
