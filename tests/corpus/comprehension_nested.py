grid = [[i * j for j in range(3)] for i in range(3)]
print([
    [
        cell
        for cell in row
        if cell
    ]
    for row in grid
    if any(
        cell
        for cell in row
    )
])
print({tuple(x for x in row) for row in grid})
