def f(items):
    for item in items:
        return item
    return None


def g(items):
    for item in items:
        if item:
            break
    return item


def h(items):
    for item in items:
        raise ValueError(item)


print(f([1]), g([0, 1]))
try:
    h([1])
except ValueError:
    print("raised")
