from lib import helper_getattr
from lib.helper_getattr import lazy

print(lazy, dir(helper_getattr))
try:
    helper_getattr.other
except AttributeError:
    print("none")
