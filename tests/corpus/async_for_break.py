import asyncio


async def numbers(n):
    for i in range(n):
        await asyncio.sleep(0)
        yield i


async def f(n):
    async for i in numbers(n):
        if i == 2:
            break
        if i == 0:
            continue
        print(i)
    return i


async def g(n):
    async for i in numbers(n):
        return i


asyncio.run(f(5))
asyncio.run(g(1))
