def mark(f):
    f.marked = True
    return f


@mark
def a():
    return 1


@mark
class B:
    pass


print(a(), B.marked)
