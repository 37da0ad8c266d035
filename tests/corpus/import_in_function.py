def f(n):
    if n:
        from lib import package
        return package.one()
    import lib.package.unused as unused
    return unused.NEVER


print(f(1))
