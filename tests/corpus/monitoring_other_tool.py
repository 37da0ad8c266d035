# requires: 3.12
import sys

monitoring = sys.monitoring
tool = next(n for n in (4, 3, 2, 0) if monitoring.get_tool(n) is None)
monitoring.use_tool_id(tool, "another")
lines = []


def on_line(code, line):
    if code is f.__code__:
        lines.append(line)
        return monitoring.DISABLE


def f(n):
    if n:
        return "yes"
    return "no"


monitoring.register_callback(tool, monitoring.events.LINE, on_line)
monitoring.set_local_events(tool, f.__code__, monitoring.events.LINE)
print(f(1), f(0))
monitoring.set_local_events(tool, f.__code__, 0)
monitoring.register_callback(tool, monitoring.events.LINE, None)
monitoring.free_tool_id(tool)
print(len(lines), f(1))
