def __getattr__(name):
    if name == "lazy":
        return "made"
    raise AttributeError(name)


def __dir__():
    return ["lazy"]
