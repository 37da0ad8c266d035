# requires: 3.12
def first[T](items: list[T]) -> T | None:
    for item in items:
        return item
    return None
