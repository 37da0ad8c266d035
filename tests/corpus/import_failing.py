try:
    import lib.helper_raises
except ImportError as e:
    print(e)
try:
    from lib import nothing_here
except ImportError:
    nothing_here = None
try:
    import not_a_module_at_all
except ModuleNotFoundError:
    print("not found")
else:
    print("never")
