total = 0
for i in range(3): total += i
for i in []: total += i
while total > 2: total -= 1
while total > 9: total -= 1
print(total)


def f(items):
    for item in items: print(item)


def g(items):
    for item in items: return item


f([1])
g([1])
g([])
