import runpy

print(runpy.run_path("lib/runpy_target.py", run_name="__main__")["result"])
print(runpy.run_module("lib.runpy_target")["result"])
