space = {}
exec("def f(x):\n    if x:\n        return 1\n    return 2\n", space)
print(space["f"](0), space["f"](1))
print(eval("1 + 1"), eval("[x for x in range(3)]"))
exec(compile("y = 3", "<made up>", "exec"), space)
exec(
    "z = 4",
    space,
)
print(space["y"] + space["z"])
code = compile("(lambda q: q + 1)(2)", "", "eval")
print(eval(code))
