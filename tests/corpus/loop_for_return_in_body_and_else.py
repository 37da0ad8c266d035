def f(items):
    for item in items:
        if item:
            return "body"
    else:
        return "else"


print(f([0]), f([1]), f([]))
