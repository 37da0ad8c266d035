import contextlib


def f(items):
    out = []
    for item in items:
        with contextlib.suppress(KeyError):
            try:
                match item:
                    case 0:
                        continue
                    case int(n) if n > 3:
                        while n:
                            n -= 1
                            if n == 2:
                                break
                        else:
                            out.append("else")
                    case str():
                        raise KeyError(item)
                    case [*parts]:
                        out.extend(p for p in parts if p)
                    case _:
                        return out
            except ValueError:
                out.append("value")
            else:
                out.append("fine")
            finally:
                out.append("finally")
        out.append("after")
    else:
        out.append("end")
    return out


print(f([0, 5, "a", [0, 1]]))
print(f([None, 1]))
