import gc
import weakref


class Node:
    def __del__(self):
        if self.name == "a":
            print("a")
        else:
            print("other")

    def __init__(self, name):
        self.name = name


def gone(reference):
    print("gone")


n = Node("a")
reference = weakref.ref(n, gone)
del n
m = Node("b")
m.me = m
del m
gc.collect()
