class Bad:
    def __enter__(self):
        raise OSError("enter")

    def __exit__(self, *args):
        print("never")


class BadExit:
    def __enter__(self):
        return 1

    def __exit__(self, *args):
        raise OSError("exit")


for kind in (Bad, BadExit):
    try:
        with kind() as x:
            print("body", x)
    except OSError as e:
        print(e)
