def f(x):
    match x:
        case 1:
            return "one"
        case _:
            return "other"


def g(x):
    match x:
        case 1:
            y = "one"
        case _:
            y = "other"
    return y


print(f(1), f(2), g(2))
