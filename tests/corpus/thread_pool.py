from concurrent.futures import ThreadPoolExecutor


def work(n):
    if n % 2:
        return "odd"
    return "even"


def never(n):
    return n


with ThreadPoolExecutor(2) as pool:
    print(list(pool.map(work, range(6))))
    try:
        pool.submit(lambda: 1 / 0).result()
    except ZeroDivisionError:
        print("zero")
