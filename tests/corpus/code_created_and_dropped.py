import gc

TEXT = "def f(n):\n    if n: return 1\n    return 2\n"
total = 0
for n in range(50):
    space = {}
    exec(compile(TEXT, f"<made {n}>", "exec"), space)
    total += space["f"](n % 2)
    del space
gc.collect()
print(total)
