out = []
for item in [1, 0, "x", 2]:
    try:
        value = 4 / item
    except ZeroDivisionError:
        continue
    except TypeError:
        out.append("type")
        continue
    out.append(value)
print(out)
