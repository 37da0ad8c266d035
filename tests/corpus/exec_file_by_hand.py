import pathlib

path = pathlib.Path("lib/exec_target.py").absolute()
code = compile(path.read_text(), str(path), "exec")
space = {"__name__": "by_hand", "__file__": str(path)}
exec(code, space)
print(space["f"](1))
exec(code, space)
print(space["again"])
