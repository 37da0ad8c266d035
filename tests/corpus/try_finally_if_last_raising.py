def fail():
    raise ValueError

def f(word):
    pop = True
    try:
        if word == "a":
            return 1
        pop = False
        fail()
    finally:
        if pop:
            print(1)

f("a")
try:
    f("b")
except ValueError:
    pass
