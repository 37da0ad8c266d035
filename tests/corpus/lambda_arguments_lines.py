print(sorted(
    [3, 1, 2],
    key=lambda n:
    -n,
))
print(list(map(
    lambda n: n + 1,
    filter(
        lambda n: n,
        [0, 1],
    ),
)))
