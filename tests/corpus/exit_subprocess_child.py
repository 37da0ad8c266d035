import subprocess
import sys

if len(sys.argv) > 1:
    print("child", sys.argv[1])
    if sys.argv[1] == "b":
        sys.exit(2)
else:
    for name in ("a", "b"):
        done = subprocess.run([sys.executable, __file__, name])
        print(done.returncode)
