import asyncio


async def f(a):
    try:
        await asyncio.sleep(0)
        if a:
            raise ValueError(a)
    except ValueError:
        await asyncio.sleep(0)
        return "value"
    else:
        await asyncio.sleep(0)
    finally:
        await asyncio.sleep(0)
    return "end"


async def main():
    print(await f(0), await f(1))


asyncio.run(main())
