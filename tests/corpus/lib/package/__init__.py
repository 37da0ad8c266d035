"""A package whose names come from its modules."""

from .one import one
from .two import *

__all__ = ["one", "two"]
