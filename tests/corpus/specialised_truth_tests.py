def f(x):
    if x:
        return 1
    return 0


class Falsy:
    def __bool__(self):
        return False


class Sized:
    def __len__(self):
        return 2


values = [True, False, None, 0, 1, "", "a", [], [1], Falsy(), Sized(), 1.0]
print([f(v) for v in values * 20][:len(values)])
