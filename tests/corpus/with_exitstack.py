import contextlib
import io

with contextlib.ExitStack() as stack:
    files = [
        stack.enter_context(io.StringIO(str(i)))
        for i in range(3)
    ]
    stack.callback(print, "called")
    stack.callback(
        lambda: print("lambda")
    )
    for file in files:
        print(file.read())
print(all(file.closed for file in files))
