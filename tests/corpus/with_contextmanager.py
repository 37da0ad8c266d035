import contextlib


@contextlib.contextmanager
def tag(name, log):
    log.append(f"<{name}>")
    try:
        yield name
    except ValueError:
        log.append("error")
    finally:
        log.append(f"</{name}>")


log = []
with tag("a", log) as name:
    log.append(name)
with tag("b", log):
    raise ValueError
print(log)
