import asyncio


async def f(n):
    await asyncio.sleep(0)
    if n:
        raise KeyError(n)


async def main():
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(f(0))
            group.create_task(f(1))
    except* KeyError as errors:
        print(len(errors.exceptions))
    async with asyncio.TaskGroup() as group:
        group.create_task(f(0))
    print("end")


asyncio.run(main())
