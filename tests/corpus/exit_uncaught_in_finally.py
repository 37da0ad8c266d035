def f():
    try:
        return {}[1]
    finally:
        print("finally")


try:
    f()
finally:
    print("outer")
