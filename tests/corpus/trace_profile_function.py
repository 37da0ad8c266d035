import sys

calls = []


def profile(frame, event, arg):
    if event == "call":
        calls.append(frame.f_code.co_name)


def f(n):
    return n + 1


sys.setprofile(profile)
f(1)
sys.setprofile(None)
print(calls)
