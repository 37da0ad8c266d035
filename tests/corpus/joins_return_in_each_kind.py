def f(a, items=()):
    if a == 0:
        return "if"
    for item in items:
        if a == item:
            return "for"
    while a == 2:
        return "while"
    with open(__file__) as s:
        if a == 3:
            return "with"
    try:
        if a == 4:
            return "try"
        {}[a]
    except KeyError:
        if a == 5:
            return "except"
    finally:
        if a == 6:
            print("finally")
    match a:
        case 7:
            return "match"


print(f(0), f(1, [0, 1]), f(2), f(4), f(5), f(7), f(8))
