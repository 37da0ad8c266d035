n = len("abcdef")
if n > 5:
    print("long")
