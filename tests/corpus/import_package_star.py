from lib.package import *

print(one(), two())
