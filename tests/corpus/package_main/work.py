def work(n):
    if n > 1:
        return "arguments"
    return "none"
