space = {"__name__": "relative"}
with open("lib/exec_function_only.py") as source:
    exec(compile(source.read(), "lib/exec_function_only.py", "exec"), space)
print(space["f"](1), space["f"](3))
