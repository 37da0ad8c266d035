import asyncio


class Manager:
    def __init__(self, swallow=False):
        self.swallow = swallow

    async def __aenter__(self):
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *args):
        await asyncio.sleep(0)
        return self.swallow


async def f(a):
    async with Manager() as m:
        if a:
            return 1
        assert m
    return 2


async def g():
    async with Manager(True):
        raise ValueError
    return "swallowed"


async def h():
    async with (
        Manager() as a,
        Manager() as b,
    ):
        pass
    for i in range(3):
        async with Manager():
            if i == 1:
                break
    return a is b


async def main():
    print(await f(0), await f(1), await g(), await h())


asyncio.run(main())
