import threading

local = threading.local()


def work():
    if hasattr(local, "x"):
        print("never")
    local.x = 1


local.x = 2
timer = threading.Timer(0.001, work)
timer.start()
timer.join()
print(local.x)
