import warnings
warnings.simplefilter("ignore")


def f(items):
    for item in items:
        try:
            item = 1 / item
        finally:
            if item:
                break
    return item


print(f([2, 0]))
