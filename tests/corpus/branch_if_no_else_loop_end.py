total = 0
for i in range(4):
    total += 1
    if i % 2:
        total += i
for i in range(4):
    if i >= 0:
        total += i
for i in range(4):
    if i > 9:
        total += i
print(total)
