import asyncio


async def numbers(n,
                  step=1):
    for i in range(0, n, step):
        yield i


async def main():
    async for i in numbers(
        4,
        step=2,
    ):
        print(
            i
        )
    async for i in numbers(0): print(i)
    async for i in numbers(1): print(i)


asyncio.run(main())
