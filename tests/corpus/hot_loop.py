def f(n):
    total = 0
    for i in range(n):
        if i % 7 == 0:
            total += 1
        elif i < 0:
            total = 0
        else:
            total += 2
    return total


print(f(3000))
print(sum(i for i in range(3000) if i % 2))
