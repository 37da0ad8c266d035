import importlib

from lib import reloaded

print(reloaded.f())
importlib.reload(reloaded)
print(reloaded.f())
