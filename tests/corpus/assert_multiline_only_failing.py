def f(a):
    assert isinstance(
        a,
        str,
    ), "no"
    print("never")


try:
    f(1)
except AssertionError:
    print("failed")


def g(a):
    assert a > 0, \
        "negative"
    assert all(x for x in [a])


g(1)
