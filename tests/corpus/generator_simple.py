def count(n):
    i = 0
    while i < n:
        yield i
        i += 1


print(list(count(3)))
never = count(3)
part = count(3)
next(part)
