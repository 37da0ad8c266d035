if 0:
    print("never")
if 1:
    print("always")
else:
    print("never")
if False:
    x = 1
else:
    x = 2
if True:
    y = 1
if "":
    y = 2
if None:
    y = 3
print(x, y)


def f():
    if 0:
        return 1
    if 1:
        return 2
    return 3


print(f())
