for i in range(2):
    print(i)
else:
    print("no break")


def f(items):
    for item in items:
        if item == 3:
            break
    else:
        return "not found"
    return "found"


print(f([1, 2]))
