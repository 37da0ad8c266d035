n = len("abc")
if n > 5:
    print("long")
