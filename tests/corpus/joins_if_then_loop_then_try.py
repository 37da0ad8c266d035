def f(a, items):
    if a:
        for item in items:
            try:
                if item:
                    a = item
            finally:
                if a:
                    a = 0
    elif items:
        while items:
            if items.pop():
                a = 1
    return a


print(f(1, [0, 1]), f(0, [1, 0]), f(0, []))
