def f(items):
    out = []
    for a in items:
        try:
            if a == 1:
                continue
            if a == 2:
                raise KeyError
        except KeyError:
            continue
        else:
            if a == 3:
                continue
            out.append("else")
        finally:
            out.append(a)
        out.append("end")
    return out


print(f([0, 2, 3]))
