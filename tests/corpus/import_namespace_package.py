import lib.namespace.part

print(lib.namespace.part.f(0))
