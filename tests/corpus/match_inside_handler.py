def f(x):
    match x:
        case "a":
            try:
                {}[x]
            except KeyError:
                return "key"
        case "b":
            with open(__file__) as s:
                return s.read(0)
        case _:
            try:
                return int(x)
            finally:
                print("f")


print(f("a"), f("b"), f("3"))
