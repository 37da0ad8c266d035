import sys

state = sys.modules[__name__].__dict__.get("state", 0) + 1
if state == 1:
    first = True
elif state == 2:
    second = True
else:
    third = True


def f():
    if state > 1:
        return "again"
    return "once"
