def f():
    x = (yield 1) or (yield 2)
    y = [
        (yield 3),
        (yield 4),
    ]
    if (yield x):
        print("true")
    return y


print(list(f()))
gen = f()
while True:
    try:
        gen.send(None)
    except StopIteration:
        break
