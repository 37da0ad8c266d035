import io

with io.StringIO() as a, \
        io.StringIO() as b, \
        io.StringIO() as c:
    a.write("1")
    b.write("2")
    c.write("3")
print("end")
