a = lambda: 1
b = lambda x: 1 if x else 2
c = lambda x: (
    1
    if x
    else 2
)
never = lambda: (
    3
)
d = (lambda x:
     x + 1)
e = [
    lambda: 1,
    lambda: 2,
]
f = lambda x: [y for y in x if y]
g = lambda x: (yield x)
print(a(), b(0), b(1), c(0), d(1), e[1](), f([0, 1]), list(g(1)))
