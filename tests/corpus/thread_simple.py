import threading

from lib import thread_target

out = []
threads = [
    threading.Thread(target=thread_target.work, args=(n, out))
    for n in (1, 3)
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(out)
