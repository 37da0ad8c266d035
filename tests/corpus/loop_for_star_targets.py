for first, *rest in [(1, 2, 3), (4,)]:
    print(first, rest)
for d in [{}]:
    for d["k"] in range(2):
        pass
print(d)
for x in *[1], 2:
    print(x)
