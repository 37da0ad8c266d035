for a, b in zip(
    [1, 2],
    [3, 4],
):
    print(a, b)
for x in [
    1,
    len("ab"),
]:
    print(x)
for (
    k,
    v,
) in {"a": 1}.items():
    print(k, v)
