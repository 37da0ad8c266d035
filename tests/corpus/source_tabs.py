def f(a):
	if a:
		return 1
	else:
		for x in range(2):
			a += x
	return a


print(f(0))
