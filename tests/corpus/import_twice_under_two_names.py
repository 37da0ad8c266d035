import importlib
import sys

first = importlib.import_module("lib.helper_plain")
del sys.modules["lib.helper_plain"]
second = importlib.import_module("lib.helper_plain")
print(first is second, first.used(1), second.used(9))
