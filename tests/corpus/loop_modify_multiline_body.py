total = 0
for i in range(3):
    total += (
        i
        * 2
        + len([
            i,
            i,
        ])
    )
    if (
        total
        > 100
    ):
        break
print(total)
