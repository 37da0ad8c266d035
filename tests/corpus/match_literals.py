def f(x):
    match x:
        case 1:
            return "one"
        case "a" | "b":
            return "letter"
        case None:
            return "none"
        case True:
            return "true"
        case -1.5:
            return "negative"
    return "other"


print(f(1), f("b"), f(9))
