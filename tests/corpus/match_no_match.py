def f(x):
    match x:
        case 1:
            print("one")
        case 2:
            print("two")


f(3)
match 7:
    case 1:
        print("one")
print("after")
