try: x = 1 / 0
except ZeroDivisionError: x = 0
try: y = 1
except ZeroDivisionError: y = 0
else: y += 1
finally: y += 1
print(x, y)


def f(a):
    try: return 1 / a
    except ZeroDivisionError: return 0
    finally: print("f")


f(0)
