def f():
    while True:
        try:
            yield 1
        except ValueError:
            yield 2
        except KeyError:
            break
    yield 3


gen = f()
print(next(gen), gen.throw(ValueError), next(gen), gen.throw(KeyError))
new = f()
try:
    new.throw(TypeError)
except TypeError:
    print("not started")
