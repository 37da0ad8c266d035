# requires: 3.15
def f(lists):
    return [
        *x
        for x in lists
        if x
    ]


print(f([[1], [], [2, 3]]))
print({**d for d in [{"a": 1}, {"b": 2}]})
