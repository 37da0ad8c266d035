match len("x"):
    case _:
        print("always")


def f(x):
    match x:
        case y:
            return y


print(f(1))
