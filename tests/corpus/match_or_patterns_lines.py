def f(x):
    match x:
        case (1
              | 2
              | 3):
            return "low"
        case (4 |
              5):
            return "high"
    return "none"


print(f(3), f(9))
