def f(a):
    if a:
        return (
            1
        )
    return '''x
y'''


print(f(0))
