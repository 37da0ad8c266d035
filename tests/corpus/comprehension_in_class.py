class C:
    names = ["a", "b"]
    upper = [
        name.upper()
        for name in names
    ]
    table = {name: len(name) for name in names}

    def get(self):
        return [n for n in self.upper if n in self.table]


print(C.upper, C.table, C().get())
