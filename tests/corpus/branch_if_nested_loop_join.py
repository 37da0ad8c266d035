count = 0
for i in range(6):
    if i > 1:
        if i > 3:
            if i > 4:
                count += 1
        elif i == 2:
            count += 10
for i in range(2):
    if i > 5:
        if i > 6:
            count += 1
print(count)
