import sys
n = len(sys.argv)
if n > 100: raise SystemExit(1)
if n < 0: raise SystemExit(2)
print("done")
