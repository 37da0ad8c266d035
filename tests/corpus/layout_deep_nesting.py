def f(n):
    for i0 in range(1):
        if n > 1:
            if n > 2:
                for i3 in range(1):
                    if n > 4:
                        if n > 5:
                            for i6 in range(1):
                                if n > 7:
                                    if n > 8:
                                        for i9 in range(1):
                                            if n > 10:
                                                if n > 11:
                                                    for i12 in range(1):
                                                        if n > 13:
                                                            if n > 14:
                                                                for i15 in range(1):
                                                                    if n > 16:
                                                                        if n > 17:
                                                                            return n
    return 0


print(f(40), f(5))
