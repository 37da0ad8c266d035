def f(a, b):
    return (
        f"{a}"
        f"{b!r:>10}"
        "plain"
        f"{a + b if b > 100 else a}"
        if a
        else f"{b}"
    )


text = f"""
{len("x")}
{
    len("yy")
}
"""
print(f(1, 2), f(0, 3), text)
