out = []
for x in [1, "a", None, [2], 5]:
    match x:
        case 1:
            continue
        case str():
            out.append(x)
        case None:
            pass
        case [y]:
            out.append(y)
        case _:
            break
print(out)
