for i in range(3):
    if i == 1:
        pass
    else:
        pass
while i:
    i -= 1
    if i:
        pass
