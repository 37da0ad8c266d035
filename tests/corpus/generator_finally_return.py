def f():
    try:
        yield 1
        return 2
    finally:
        print("finally")


def g():
    result = yield from f()
    return result


print(list(f()), list(g()))
