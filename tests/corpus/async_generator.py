import asyncio


async def echo():
    got = None
    try:
        while True:
            got = yield got
            if got is None:
                continue
            await asyncio.sleep(0)
    except ValueError:
        yield "value"
    finally:
        print("closed")


async def main():
    gen = echo()
    print(await gen.asend(None))
    print(await gen.asend(1))
    print(await anext(gen))
    print(await gen.athrow(ValueError))
    await gen.aclose()
    other = echo()
    await anext(other)
    await other.aclose()


asyncio.run(main())
