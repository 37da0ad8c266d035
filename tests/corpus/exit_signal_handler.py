import signal

seen = []


def handler(number, frame):
    if number == signal.SIGUSR1:
        seen.append("one")
    else:
        seen.append("other")


signal.signal(signal.SIGUSR1, handler)
signal.raise_signal(signal.SIGUSR1)
while not seen:
    pass
print(seen)
