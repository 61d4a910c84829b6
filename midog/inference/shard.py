"""A share of a list of images: processes divide it without speaking to each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

from midog.errors import ConfigError

MOST_SHARDS = 100_000

_Item = TypeVar("_Item")
_SHARD = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")


@dataclass(frozen=True)
class Shard:
    """One of several equal shares: 3/8 takes the images 3, 11, 19, …

    Neighbours in a list are often of one case or scanner and take about equally long, so they go to
    different shards. What is done already plays no part: every start divides the list alike.

    Attributes:
        number: Which one, from 1.
        count: How many there are.

    Raises:
        ConfigError: They are out of range.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count <= MOST_SHARDS:
            raise ConfigError(
                f"shard {self} is out of range",
                f"give K/N with K from 1 to N, and N at most {MOST_SHARDS:,}",
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "3/8".

        Raises:
            ConfigError: It is no shard.
        """
        matched = _SHARD.fullmatch(text.strip())
        if matched is None or not text.isascii():
            raise ConfigError(f"shard {text!r} is not K/N", "give the third of eight as 3/8")
        return cls(int(matched[1]), int(matched[2]))

    def of(self, items: Sequence[_Item]) -> list[_Item]:
        """Return its share of a list, in the list's order; it may be empty."""
        return list(items[self.number - 1 :: self.count])

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"
