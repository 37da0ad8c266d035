"""Imported by many programs."""

CONSTANT = 3


def used(n):
    if n > CONSTANT:
        return "more"
    return "less"


def unused():
    return None
