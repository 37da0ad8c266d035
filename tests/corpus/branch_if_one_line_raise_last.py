def check(a):
    if a < 0: raise ValueError(a)


def check_taken(a):
    if a < 0: raise ValueError(a)


check(1)
try:
    check_taken(-1)
except ValueError:
    print("caught")
