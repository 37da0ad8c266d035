import asyncio


async def a(): return 1
async def b(): pass
async def c(): await a(); await b()
async def d(): yield 1


async def main():
    await c()
    async for x in d(): print(x)
    return await a()


async def never(): return 2


print(asyncio.run(main()))
