x = 1 + \
    2 + \
    3
if x == 6 \
        and True:
    y = \
        4
else:
    y = 5
assert y == 4, \
    "four"
print(x,
      y); z = \
    1
