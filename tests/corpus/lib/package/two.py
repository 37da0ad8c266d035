__all__ = ["two"]


def two():
    return _hidden()


def _hidden():
    return 2
