def f(x):
    match x:
        case 1:
            y = 1
        case n if n > 5:
            y = 2
    match x:
        case _ if x > 100:
            return "big"
    return "end"


print(f(3))
