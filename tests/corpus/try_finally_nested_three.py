def f(a):
    for i in range(3):
        try:
            try:
                try:
                    if a == i:
                        break
                    elif a == i + 10:
                        continue
                    elif a == 99:
                        return i
                finally:
                    print("1")
            finally:
                print("2")
        finally:
            print("3")
    return "end"


print(f(1), f(11), f(99))
