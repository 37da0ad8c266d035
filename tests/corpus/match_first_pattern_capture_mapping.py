def f(d):
    match d:
        case {"kind": "a", "value": int(v)}:
            return v
        case {"kind": "b", "items": [first, *_]}:
            return first
        case {}:
            return "mapping"
    return "no mapping"


print(f({"kind": "a", "value": 1}), f({"kind": "b", "items": [2]}), f({}), f(3))
