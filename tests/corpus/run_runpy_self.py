import runpy
import sys

if __name__ == "__main__":
    space = runpy.run_path(__file__, run_name="again")
    print(space["who"])
    who = "main"
else:
    who = "again"
