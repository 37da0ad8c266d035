import _thread

lock = _thread.allocate_lock()
lock.acquire()


def work(n):
    if n:
        print(n)
    lock.release()


_thread.start_new_thread(work, (1,))
lock.acquire()
print("end")
