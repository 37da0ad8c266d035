for i in range(5):
    if i == 1: continue
    if i == 3: break
    print(i)
print("end")
