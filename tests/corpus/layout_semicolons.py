a = 1; b = 2; c = 3
if a: b += 1; c += 1
for i in range(2): a += i; b += i
while a > 100: a -= 1; b = 0


def f(x): x += 1; y = x; return y


print(a, b, c); print(f(1)); x = [
    1,
]; y = 2; assert y
