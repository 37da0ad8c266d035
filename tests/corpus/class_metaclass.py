class Meta(type):
    def __new__(mcls, name, bases, space, **kw):
        cls = super().__new__(mcls, name, bases, space)
        if kw:
            cls.kw = kw
        return cls

    def __init__(cls, name, bases, space, **kw):
        super().__init__(name, bases, space)

    @classmethod
    def __prepare__(mcls, name, bases, **kw):
        return {"prepared": True}

    def __call__(cls, *args):
        if args:
            return args
        return super().__call__()


class A(
    metaclass=Meta,
    option=1,
):
    pass


class B(metaclass=Meta): pass


print(A.kw, A.prepared, A(1), isinstance(A(), A))
