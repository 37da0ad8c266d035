def f(e):
    try:
        raise e
    except* ValueError:
        print("value")
    except* KeyError:
        raise RuntimeError
    return "end"


print(f(ValueError(1)))
try:
    f(KeyError(1))
except* RuntimeError:
    print("runtime")
