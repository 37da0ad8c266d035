import asyncio


async def numbers(n):
    for i in range(n):
        yield i


async def f(n):
    async for i in numbers(n):
        if i == 2:
            break
    else:
        return "else"
    return "break"


async def g(n):
    async for i in numbers(n):
        if i == 2:
            break
    else:
        return "else"
    return "break"


async def main():
    print(await f(2), await f(3))
    print(await g(1))


asyncio.run(main())
