def kind(n):
    if n == 1:
        print("one")
    elif n == 2:
        print("two")
    elif n == 3:
        print("three")


kind(7)
