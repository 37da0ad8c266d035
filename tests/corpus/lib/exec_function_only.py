def f(n):
    for i in range(n):
        if i == 1:
            return i
    return None
