import sys


def hook(kind, value, traceback):
    if kind is ValueError:
        print("hooked")
    else:
        print("never")


sys.excepthook = hook
raise ValueError
