n = 4
while n:
    n -= 1
    match n:
        case 2:
            print("two")
        case 1:
            print("one")


def f(items):
    for item in items:
        match item:
            case 1:
                print("one")
            case _:
                print("other")


f([1, 2])
