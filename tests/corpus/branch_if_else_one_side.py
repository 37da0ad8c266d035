def sign(n):
    if n < 0:
        word = "minus"
    else:
        word = "plus"
    return word


print(sign(1))
