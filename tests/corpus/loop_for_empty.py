def f(items):
    for item in items:
        print(item)
    print("after")


def g(items):
    for item in items:
        print(item)


f([])
g([])
for nothing in ():
    print(nothing)
