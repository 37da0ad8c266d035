def counter():
    n = 0

    def up(by=1):
        nonlocal n
        n += by

        def report():
            return n

        return report

    def never():
        return n

    return up


up = counter()
up()
print(up(2)())
