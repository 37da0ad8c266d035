def main(name):
    if name == "__main__":
        return "main"
    return "module"


result = main(__name__)
