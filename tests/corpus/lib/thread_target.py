def work(n, out):
    for i in range(n):
        if i == 2:
            out.append(i)
        elif i > 100:
            out.append("never")


def other(out):
    out.append("other")
