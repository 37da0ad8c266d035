try:
    a = 1
except ValueError:
    a = 2
print(a)


def f():
    try:
        return 1
    except ValueError:
        return 2


print(f())
