def gen():
    yield 1
    raise ValueError


def use():
    for x in gen():
        print(x)
    print("never")


try:
    use()
except ValueError:
    print("caught")


def stop():
    raise StopIteration
    yield


try:
    list(stop())
except RuntimeError:
    print("runtime")
