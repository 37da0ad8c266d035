import threading


class Worker(threading.Thread):
    def __init__(self, n):
        super().__init__()
        self.n = n
        self.result = None

    def run(self):
        if self.n:
            self.result = self.n
        else:
            self.result = "zero"


workers = [Worker(n) for n in range(2)]
for worker in workers:
    worker.start()
    worker.join()
print([worker.result for worker in workers])
