import sys


def main(argv=None):
    if argv is None:
        argv = sys.argv[1:]
    if not argv:
        return 0
    return len(argv)


if __name__ == "__main__":
    sys.exit(main())
