def f(*args, **kw):
    return len(args) + len(kw)


print(
    f(
        f(1),
        f(
            2,
            a=f(
                3
            ),
        ),
        *[
            4,
        ],
        b=5 if f() else 6,
    )
)
f(
    1
); f(
    2
)
