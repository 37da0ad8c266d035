def f(log):
    try:
        yield 1
        yield 2
    except GeneratorExit:
        log.append("exit")
        raise
    finally:
        log.append("finally")
    log.append("never")


log = []
gen = f(log)
next(gen)
gen.close()
print(log)
