def f(errors):
    try:
        if errors:
            raise ExceptionGroup("g", errors)
        print("none")
    except* ValueError as e:
        print("value", len(e.exceptions))
    except* (KeyError, TypeError):
        print("key or type")
    else:
        print("else")
    finally:
        print("finally")


f([])
f([ValueError(1), KeyError(2)])
try:
    f([OSError()])
except* OSError:
    print("os")
