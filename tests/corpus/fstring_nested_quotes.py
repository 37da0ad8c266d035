# requires: 3.12
d = {"a": 1}
print(f"{d["a"]}")
print(f"{
    d["a"]
    # a comment
    + 1
}")


def f(x):
    return f"{"yes" if x else f"{"no"}"}"


print(f(0))
