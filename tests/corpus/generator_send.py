def average():
    total = n = 0
    mean = None
    while True:
        value = yield mean
        if value is None:
            return total
        total += value
        n += 1
        mean = total / n


gen = average()
next(gen)
print(gen.send(2), gen.send(4))
try:
    gen.send(None)
except StopIteration as stop:
    print(stop.value)
