x = 1
y = {"a": 1, "b": [1, 2]}


def f():
    global x, new
    x = 2
    new = 3

    def g():
        nonlocal z
        z = 4
        del z

    z = 0
    g()


f()
del y["a"], y["b"][0]
del (
    x,
    new,
)
print(y)
