import sys


def main():
    try:
        return 6
    finally:
        print("leaving")


sys.exit(main())
