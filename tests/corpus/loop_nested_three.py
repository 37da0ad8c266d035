n = 0
for i in range(3):
    for j in range(i):
        for k in range(j):
            n += 1
    if i == 2:
        while n < 5:
            n += 1
print(n)
