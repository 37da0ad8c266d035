from . import helper_plain as plain
from .helper_plain import (
    CONSTANT,
    used,
)


def both(n):
    return used(n), plain.used(n + CONSTANT)
