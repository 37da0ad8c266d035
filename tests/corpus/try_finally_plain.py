def f(a):
    try:
        a += 1
    finally:
        a += 2
    return a


print(f(1))
try:
    x = 1
finally:
    x = 2
print(x)
