print([
    x
    for x in range(3)
])
print({
    x:
    y
    for x in range(2)
    for y in range(2)
    if x != y
})


def f(a):
    return [
        x * 2
        for x in a
        if x > 1
    ]


print(f([]), f([0]), f([2]))
