import os


def child():
    print("child", flush=True)
    return 5


def parent(pid):
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


pid = os.fork()
if pid:
    print(parent(pid))
else:
    os._exit(child())
