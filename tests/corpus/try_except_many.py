def f(a):
    try:
        return {1: 2}[a]
    except (ValueError, TypeError):
        r = "value"
    except KeyError as e:
        r = "key"
    except Exception:
        r = "other"
    return r


print(f(2), f([]), f(1))
