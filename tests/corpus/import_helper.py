import lib.helper_plain
from lib.helper_imports_other import both

print(lib.helper_plain.used(1), both(2))
