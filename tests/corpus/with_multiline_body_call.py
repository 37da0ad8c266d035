import io

with io.StringIO(
    "a"
    "b"
) as out:
    print(
        out.read(),
        out.read(),
    )
with open(
    __file__,
    encoding="utf-8",
) as source: first = source.readline()
print(first.strip())
