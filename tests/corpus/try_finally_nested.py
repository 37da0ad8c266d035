def f(a, log):
    try:
        try:
            if a == 1:
                return "one"
            if a == 2:
                raise ValueError
        finally:
            log.append("inner")
        log.append("between")
    finally:
        log.append("outer")
    return log


print(f(1, []), f(0, []))
try:
    f(2, [])
except ValueError:
    print("value")
