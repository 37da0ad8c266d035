import pathlib

path = str(pathlib.Path("lib/exec_function_only.py").absolute())
space = {}
exec(compile("x = 1\n", "<single>", "single"), space)
print(eval(compile("x + 1", "<eval>", "eval"), space))
exec("for i in range(2): x += i", space)
print(space["x"])
