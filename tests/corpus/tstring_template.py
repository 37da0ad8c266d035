# requires: 3.14
name = "x"


def f(a):
    return t"{a} and {
        len(a)
    }" t" more {a!r:>4}"


template = f("abc")
print(len(template.interpolations))
for part in template:
    if isinstance(part, str):
        print(part)
    else:
        print(part.value)
