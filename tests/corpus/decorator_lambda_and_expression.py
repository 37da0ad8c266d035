table = {}


@lambda f: table.setdefault(f.__name__, f)
def a():
    return 1


@(
    lambda f:
    table.setdefault("other", f)
)
def b():
    return 2


@table.setdefault("x", staticmethod)
def c(): pass


print(sorted(table), table["a"]())
