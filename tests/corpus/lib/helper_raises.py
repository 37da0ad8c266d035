X = 1
raise ImportError("on purpose")
Y = 2
