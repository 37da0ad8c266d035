if len("a"):
    def f(): return 1
else:
    def f(): return 2
for i in range(2):
    def g(): return i
try:
    def h(): raise ValueError
    h()
except ValueError:
    def k(): return 0


def outer():
    def inner(): return 1
    def never(): return 2
    return inner()


print(f(), g(), k(), outer())
