a = b = c = []
a, (b, *c) = 1, (2, 3, 4)
[d, e] = "xy"
x = {}
x["a"], x["b"] = (
    1,
    2,
)
x["a"] += 1
(x
 ["b"]) = len(
    "abc"
)
y = z = (
    a if a else b
)
print(a, b, c, d, e, x, y)
