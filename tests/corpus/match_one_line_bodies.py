def f(x):
    match x:
        case 1: return "one"
        case 2: y = "two"
        case 3: pass
        case _: y = "other"
    return x


f(1)
f(3)
match f(2):
    case 1: print(1)
    case 2: print(2)
