for item in [1, 0, 2]:
    try:
        value = 4 / item
    except ZeroDivisionError:
        break
    print(value)
else:
    print("never")
n = 0
while True:
    try:
        n += 1
        {}[n]
    except KeyError:
        if n > 2:
            break
print(n)
