def f(items):
    out = []
    for item in items:
        try:
            if item == 2:
                continue
            out.append(item)
        finally:
            out.append("f")
        out.append("after")
    return out


print(f([1, 2, 3]))
for i in range(2):
    try:
        continue
    finally:
        print(i)
