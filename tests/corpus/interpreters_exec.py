# requires: 3.14
from concurrent import interpreters

made = interpreters.create()
try:
    made.exec("x = 1\nif x:\n    x = 2\n")
    made.exec("print(x)")
except interpreters.ExecutionFailed:
    print("never")
else:
    print("fine")
finally:
    made.close()
print(len(interpreters.list_all()))
