import sys

from . import name
from .work import work

if __name__ == "__main__":
    print(name, work(len(sys.argv)))
