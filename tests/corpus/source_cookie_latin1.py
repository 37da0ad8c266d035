# -*- coding: latin-1 -*-
def f(a):
    if a:
        return 'é'
    return 'ü'


print(len(f(1)))
