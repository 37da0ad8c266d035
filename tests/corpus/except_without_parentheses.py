# requires: 3.14
def f(a):
    try:
        return {1: 2}[a]
    except KeyError, TypeError:
        return "key or type"
    except ValueError:
        return "value"


def g(e):
    try:
        raise e
    except* KeyError, TypeError:
        print("star")


print(f(1), f(2), f([]))
g(KeyError())
