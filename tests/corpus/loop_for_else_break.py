def f(items):
    for item in items:
        if item == 3:
            break
    else:
        return "not found"
    return "found"


print(f([1, 3]))
