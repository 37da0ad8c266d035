x = 'a'
if x:
    y = """one

"""
else:
    y = 'never'
print(len(y))
