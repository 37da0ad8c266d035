import threading

ready = threading.Event()
release = threading.Event()


def wait():
    n = 0
    while n < 3:
        n += 1
    ready.set()
    release.wait()
    print("never")


threading.Thread(target=wait, daemon=True).start()
if ready.wait(30):
    print("ready")
