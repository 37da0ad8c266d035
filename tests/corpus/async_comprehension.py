import asyncio


async def numbers(n):
    for i in range(n):
        yield i


async def double(x):
    return 2 * x


async def main():
    print([i async for i in numbers(3)])
    print({
        i: i
        async for i in numbers(3)
        if i
    })
    print([await double(i) for i in range(3)])
    print([
        await double(i)
        async for i in numbers(3)
        if i != 1
    ])
    print([x async for x in (i async for i in numbers(2))])


asyncio.run(main())
