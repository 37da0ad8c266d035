# requires: 3.14
import annotationlib

x: Undefined
y: int


class C:
    a: int
    b: Missing

    def f(
        self,
        p: Unknown,
    ) -> int:
        return 1


def g(p: int, q: str): return p


print(annotationlib.get_annotations(C, format=annotationlib.Format.STRING))
print(annotationlib.get_annotations(C.f, format=annotationlib.Format.FORWARDREF)["return"])
print(g.__annotations__)
try:
    C.__annotations__
except NameError:
    print("missing")
