import contextlib


@contextlib.contextmanager
def plain(a):
    if a:
        yield a
        print("left")
    else:
        yield None


with plain(1):
    pass
try:
    with plain(0):
        raise KeyError
except KeyError:
    print("key")
