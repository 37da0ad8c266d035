def find(grid, what):
    for row in grid:
        for cell in row:
            if cell == what:
                break
        else:
            continue
        break
    else:
        return None
    return row


print(find([[1, 2], [3, 4]], 3))
print(find([[1]], 9))
