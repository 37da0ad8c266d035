import importlib
import importlib.util
import pathlib
import sys

module = importlib.import_module("lib.helper_plain")
print(module.used(9))
path = pathlib.Path(__file__).parent / "lib" / "exec_target.py"
spec = importlib.util.spec_from_file_location("by_hand", path)
made = importlib.util.module_from_spec(spec)
sys.modules["by_hand"] = made
spec.loader.exec_module(made)
print(made.f(1))
