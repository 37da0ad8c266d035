def f(text):
    try:
        exec(text)
    except SyntaxError:
        return "syntax"
    return "fine"


print(f("x ="), f("x = 1"))
