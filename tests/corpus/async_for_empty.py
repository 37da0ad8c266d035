import asyncio


class Empty:
    def __aiter__(self):
        return self

    async def __anext__(self):
        raise StopAsyncIteration


async def f():
    async for x in Empty():
        print("never")
    print("after")


async def g():
    async for x in Empty():
        print("never")


asyncio.run(f())
asyncio.run(g())
