def numbers():
    n = 0
    while True:
        yield n
        n += 1


for n in numbers():
    if n > 2:
        break
it = (x for x in range(5))
for x in it:
    break
it.close()
print(n, x)
