import io


def f(items):
    for item in items:
        with io.StringIO() as out:
            if item == 1:
                continue
            if item == 3:
                break
            out.write("x")
        print(item)
    return "end"


f([0, 1, 2, 3, 4])
while True:
    with io.StringIO():
        break
for i in range(2):
    with io.StringIO():
        continue
