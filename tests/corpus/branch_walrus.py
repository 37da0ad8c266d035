import re


def f(text):
    if (m := re.match(r"(\d+)", text)) is not None:
        return m[1]
    elif (n := len(text)) > 3:
        return n
    return None


values = iter([3, 2, 0, 1])
while (v := next(values)):
    print(v)
print([y for x in range(4) if (y := x * x) > 2])
print(f("12"), f("abcd"))
