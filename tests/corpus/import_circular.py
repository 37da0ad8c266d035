from lib import circular_a

print(circular_a.a(0), circular_a.a(1), circular_a.a(2))
