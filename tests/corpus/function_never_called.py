def a():
    x = 1
    if x:
        x = 2
    for y in range(x):
        print(y)
    return x


async def b():
    async for x in a():
        print(x)


def c():
    yield 1


class D:
    def e(self):
        with open(self) as f:
            return f


lambda: 1
x = lambda a: \
    a
