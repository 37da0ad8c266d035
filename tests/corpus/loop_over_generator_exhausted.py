def three():
    for i in range(3):
        yield i
    print("end")


for x in three():
    print(x)
print(sum(three()), list(three()))
