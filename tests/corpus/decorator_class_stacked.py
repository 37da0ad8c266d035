import dataclasses
import functools


@functools.total_ordering
@dataclasses.dataclass(
    frozen=True,
)
class V:
    n: int = 0
    names: list = dataclasses.field(
        default_factory=list
    )

    def __lt__(self, other):
        return self.n < other.n


print(V(1) > V(0))
