def boom():
    raise ValueError


def f():
    return [
        1,
        boom(),
        2,
    ]


def g():
    x = (
        1
        + 1 / 0
        + 2
    )
    return x


for call in (f, g):
    try:
        call()
    except (ValueError, ZeroDivisionError) as e:
        print(e.__traceback__.tb_next.tb_lineno)
