def f(n):
    while n > 0:
        n -= 1
        if n == 5:
            break
    else:
        return "to the end"
    return "left"


print(f(2))
print(f(7))
n = 0
while n:
    print("never")
else:
    print("else")
