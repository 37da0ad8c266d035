def inner(n):
    for i in range(n):
        yield i
    return "result"


def outer(n):
    got = yield from inner(n)
    print(got)
    yield from (
        x
        for x in range(2)
    )
    if got == "other":
        yield from []


print(list(outer(2)))
