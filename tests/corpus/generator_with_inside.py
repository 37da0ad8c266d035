import io


def f(n):
    with io.StringIO() as out:
        for i in range(n):
            out.write(str(i))
            yield out.getvalue()
    yield "closed"


print(list(f(2)))
for x in f(3):
    break
