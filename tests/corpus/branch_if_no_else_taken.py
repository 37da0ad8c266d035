def clamp(n):
    if n > 10:
        n = 10
    return n


print(clamp(11))
