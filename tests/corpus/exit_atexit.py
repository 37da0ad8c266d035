import atexit


def goodbye(name):
    if name:
        print("bye", name)
    else:
        print("bye")


@atexit.register
def last():
    print("last")


atexit.register(goodbye, "you")
atexit.register(lambda: print("lambda"))
print("end")
