import sys

sys.path.insert(0, "lib/zipped.zip")
import zipped_module
from zipped_package import inside

print(zipped_module.f(1), inside.g([]))
