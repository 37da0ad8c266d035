import asyncio


async def worker(n):
    for i in range(n):
        await asyncio.sleep(0)
    if n == 2:
        raise ValueError(n)
    return n


async def main():
    results = await asyncio.gather(
        *(worker(n) for n in range(3)),
        return_exceptions=True,
    )
    for result in results:
        if isinstance(result, ValueError):
            print("value")
        else:
            print(result)


asyncio.run(main())
