import sys


class A:
    if sys.version_info > (3,):
        x = 1
    else:
        x = 2
    for i in range(2):
        y = i
    try:
        z = 1 / 0
    except ZeroDivisionError:
        z = 0
    while x < 3:
        x += 1
    with open(__file__) as source:
        del source
    assert y


print(A.x, A.y, A.z)
