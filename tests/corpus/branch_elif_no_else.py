def kind(n):
    result = None
    if n == 1:
        result = "one"
    elif n == 2:
        result = "two"
    elif n == 3:
        result = "three"
    return result


print(kind(1), kind(9))
