def f(n):
    return {
        "a": n,
        "b":
            n + 1,
        **{
            "c": n,
        },
        **(
            {"d": 1} if n
            else {}
        ),
    }


constant = {
    "a": 1,
    "b": 2,
}
s = {
    1,
    len("a"),
    3,
}
print(f(0), f(1), constant, s)
