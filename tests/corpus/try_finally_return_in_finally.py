import warnings
warnings.simplefilter("ignore")


def f(a):
    try:
        return 1 / a
    finally:
        return 7


def g(a):
    try:
        raise ValueError(a)
    finally:
        if a:
            return 1
    return 2


print(f(0), f(1), g(1))
