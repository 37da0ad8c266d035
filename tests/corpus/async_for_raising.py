import asyncio


class Bad:
    def __aiter__(self):
        return self

    async def __anext__(self):
        raise KeyError


async def f():
    try:
        async for x in Bad():
            print("never")
        else:
            print("never")
    except KeyError:
        return "key"
    finally:
        print("finally")


print(asyncio.run(f()))
