from dataclasses import dataclass, field


@dataclass(order=True)
class Item:
    """An item."""

    name: str
    price: float = 0.0
    tags: list[str] = field(default_factory=list)

    def __post_init__(self):
        if self.price < 0:
            raise ValueError(self.price)

    @property
    def dear(self) -> bool:
        return self.price > 10


print(Item("a", 1.0) < Item("b"), Item("a", 20).dear)
try:
    Item("c", -1)
except ValueError:
    print("negative")
