out = []
for i in range(5):
    if i % 2:
        continue
    out.append(i)
for i in range(3):
    if i < 10:
        continue
    out.append(i)
for i in range(3):
    if i > 10:
        continue
    out.append(i)
print(out)
