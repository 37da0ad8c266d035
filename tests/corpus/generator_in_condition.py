def any_of(a):
    if any(x > 0 for x in a):
        print(a)


def none_of(a):
    if not any(x > 0 for x in a):
        print("none", a)
    print("end")


def chosen(a):
    return sorted(a, key=lambda x: -x) if a else [lambda: 1]


def loop(a):
    while any(x > 0 for x in a):
        a = a[1:]


any_of([1])
any_of([1, 2])
none_of([1])
chosen([1])
loop([1])
