import sys

if len(sys.argv) > 50:
    x: int = 1
else:
    x: str = "a"


class C:
    if x == "a":
        y: int = 2
    else:
        z: int = 3


for i in range(2):
    n: int
print(x, C.y)
