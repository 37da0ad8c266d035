def f(i):
    try:
        if i % 3 == 0:
            raise ValueError
        elif i % 3 == 1:
            return {}[i]
    except ValueError:
        return 1
    except KeyError:
        return 2
    return 3


print(sum(f(i) for i in range(900)))
