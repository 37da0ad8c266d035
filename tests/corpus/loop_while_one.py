n = 0
while 1:
    n += 1
    if n == 2:
        continue
    if n > 3:
        break
while "constant":
    break
while 0:
    print("never")
while False:
    print("never")
else:
    print("else of a false constant")
print(n)
