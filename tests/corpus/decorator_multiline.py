import functools


def register(
    name,
    *,
    when=True,
):
    def wrap(f):
        @functools.wraps(f)
        def inner(*args, **kwargs):
            if when:
                return f(*args, **kwargs)
            return None
        return inner
    return wrap


@register(
    "a",
    when=len("x")
    == 1,
)
def a(
    x=1,
):
    return x


@register("b", when=False)
def b(x=1): return x


print(a(), b())
