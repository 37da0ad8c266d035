def f(x):
    match x:
        case int(n) if n > 10:
            return "big"
        case int(n) if n < 0:
            return "negative"
        case n if (
            n
            and n != 3
        ):
            return "truthy"
        case _:
            return "rest"


print(f(11), f(3), f(4), f(0))
