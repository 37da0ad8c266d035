log = []


def note(x):
    log.append(x)
    return x


def f(a, b):
    a and note(b)
    a or note(b)
    (a
     and note(b))
    (a
     or note(b))
    return None


f(0, 1)
print(log)
