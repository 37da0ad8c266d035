import pathlib

path = pathlib.Path("lib/exec_function_only.py").absolute()
text = path.read_text()
results = []
for n in range(20):
    space = {"__name__": "many", "__file__": str(path)}
    exec(compile(text, str(path), "exec"), space)
    results.append(space["f"](n % 2))
print(results)
