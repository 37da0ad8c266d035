import signal


def f():
    while True:
        signal.raise_signal(signal.SIGINT)


try:
    f()
except KeyboardInterrupt:
    print("interrupted")
