from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Mapping
else:
    Sequence = list


def f(x: "Sequence") -> "Mapping":
    return x


f([])
