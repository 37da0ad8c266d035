# run: -m
import sys

if __name__ == "__main__":
    print(sys.argv[1:], __spec__.name)
else:
    print("never")
