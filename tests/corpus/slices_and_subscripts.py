x = list(range(10))
print(x[1:3], x[::2], x[
    1:
    len(x):
    2
])
x[1:3] = [
    7,
    8,
]
del x[
    0
]
print(x[-1], x[
    0 if x
    else 1
])
