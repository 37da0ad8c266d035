import threading

seen = []
threading.excepthook = lambda info: seen.append(info.exc_type)


def work():
    try:
        raise ValueError
    finally:
        seen.append("finally")


thread = threading.Thread(target=work)
thread.start()
thread.join()
print(seen)
