def f(items):
    for item in items:
        try:
            if item == 2:
                break
        finally:
            print("finally", item)
    return item


f([1, 2, 3])
while True:
    try:
        break
    finally:
        print("done")
