def f(a, b):
    match a:
        case 1:
            match b:
                case 1:
                    return "1 1"
                case 2:
                    r = "1 2"
        case 2:
            if b:
                r = "2"
            else:
                return "2 0"
        case _:
            r = "none"
    return r


print(f(1, 1), f(1, 2), f(2, 0), f(3, 3))
