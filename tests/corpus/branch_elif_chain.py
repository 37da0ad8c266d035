def grade(n):
    if n > 90:
        return "a"
    elif n > 80:
        return "b"
    elif n > 70:
        return "c"
    else:
        return "d"


print(grade(95), grade(75), grade(10))
