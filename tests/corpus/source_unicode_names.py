def größe(ä):
    if ä:
        return "ü"
    return "ß"


class Π:
    λ = 1


print(größe(1) == "ü", Π.λ)
