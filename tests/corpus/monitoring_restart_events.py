# requires: 3.12
import sys


def f(n):
    for i in range(n):
        if i == 1:
            sys.monitoring.restart_events()
        elif i == 3:
            return i
    return None


print(f(2), f(9))
sys.monitoring.restart_events()
print(f(0))
