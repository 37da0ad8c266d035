def f(items):
    try:
        return [
            1 / x
            for x in items
        ]
    except ZeroDivisionError:
        return "zero"


print(f([1, 0]))
