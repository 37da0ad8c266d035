def f(x):
    match (
        x,
        len(x),
    ):
        case (
            [1, 2],
            _,
        ):
            return "pair"
        case (
            [
                first,
                *_,
            ],
            n,
        ) if (
            n > 2
        ):
            return first
        case (
            {"a": 1}
            | {"b": 2}
        ), 1:
            return "dict"
    return None


print(f([1, 2]), f([3, 4, 5]), f({"b": 2}), f([]))
