x = """a
b
c"""
y = {
    "a": """
    inside
    """,
    "b": [
        1,

        2,
        # a comment
        3,
    ],
}
z = (
    "one "
    "two "
    + str(3)
    + "four"
)


def f():
    """A docstring.

    Of several lines.
    """
    s = '''
    more
    '''; t = 1
    return s + str(t)


print(f(), x, y, z)
