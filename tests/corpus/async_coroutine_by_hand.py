import types


@types.coroutine
def pause(value):
    got = yield value
    return got


async def f():
    a = await pause(1)
    b = await pause(2)
    if a and b:
        return a + b
    return 0


coro = f()
print(coro.send(None))
print(coro.send(10))
try:
    coro.send(20)
except StopIteration as stop:
    print(stop.value)
never = f()
never.close()
half = f()
half.send(None)
half.close()
thrown = f()
thrown.send(None)
try:
    thrown.throw(KeyError)
except KeyError:
    print("key")
