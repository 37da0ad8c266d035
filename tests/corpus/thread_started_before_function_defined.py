import threading

go = threading.Event()
space = {}


def work():
    go.wait()
    space["late"](1)


thread = threading.Thread(target=work)
thread.start()


def late(n):
    if n:
        space["done"] = n


space["late"] = late
go.set()
thread.join()
print(space["done"])
