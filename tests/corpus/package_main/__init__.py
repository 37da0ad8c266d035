"""Run as `python -m package_main`."""

name = __name__
