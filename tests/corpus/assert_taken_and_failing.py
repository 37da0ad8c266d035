def f(a):
    assert a
    return a


def g(a):
    assert a, "message"
    return a


def h(a):
    assert (
        a
        and a > 1
    ), (
        "message"
        f"{a}"
    )


print(f(1), g(1))
for call in (f, g, h):
    try:
        call(0)
    except AssertionError as e:
        print(e)
h(2)
