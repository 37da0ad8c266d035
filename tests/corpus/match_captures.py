def f(x):
    match x:
        case []:
            return "empty"
        case [a]:
            return a
        case [a, b]:
            return a + b
        case [a, *rest]:
            return rest
        case {"k": v, **others}:
            return v, others
        case (1 | 2) as n:
            return n
        case str() as text:
            return text


print(f([]), f([1, 2, 3]), f({"k": 1}), f("x"))
