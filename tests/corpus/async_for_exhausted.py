import asyncio


async def numbers(n):
    for i in range(n):
        yield i


async def main():
    total = 0
    async for i in numbers(3):
        total += i
    print(total)


asyncio.run(main())
