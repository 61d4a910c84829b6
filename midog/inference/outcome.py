"""What became of images: figures, what was done before, what failed, and what it took."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from midog.boxes import Detections
from midog.errors import MidogError
from midog.inference.stage_times import StageTimes


@dataclass(frozen=True)
class Spent:
    """What detection in an image took.

    seconds: of the clock, with reading what was not read ahead. pixels: level-0 px of the image.
    times: of the stages, which overlap.
    """

    seconds: float
    pixels: int
    times: StageTimes


@dataclass(frozen=True)
class Counted:
    """The figures of an image. atypical: how many of them; None: they are not told apart."""

    figures: int
    atypical: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a batch, by the images' names (`Job.name`).

    Attributes:
        figures: The mitotic figures at or over the threshold in each image that was done now.
        skipped: Images that were done before.
        failed: What is wrong with each other image.
        spent: What detection took, of the images in which it ended.
        atypical: How many of the figures are atypical, where they are told apart.
    """

    figures: dict[str, int] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, MidogError] = field(default_factory=dict)
    spent: dict[str, Spent] = field(default_factory=dict)
    atypical: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, counted: Counted) -> None:
        """Note an image that was done now."""
        self.figures[name] = counted.figures
        if counted.atypical is not None:
            self.atypical[name] = counted.atypical

    @property
    def ms_per_megapixel(self) -> float:
        """Milliseconds that detection took per 10^6 level-0 px; NaN if nothing was detected in."""
        pixels = sum(spent.pixels for spent in self.spent.values())
        seconds = math.fsum(spent.seconds for spent in self.spent.values())
        return seconds * 1e9 / pixels if pixels else math.nan

    @classmethod
    def joined(cls, parts: Iterable[Outcome], names: Sequence[str]) -> Outcome:
        """Join outcomes of single images.

        Args:
            parts: In any order.
            names: Of all images, in the order in which the result has them.
        """
        whole = cls()
        for part in parts:
            whole.figures.update(part.figures)
            whole.skipped.extend(part.skipped)
            whole.failed.update(part.failed)
            whole.spent.update(part.spent)
            whole.atypical.update(part.atypical)
        skipped = set(whole.skipped)
        return cls(
            {name: whole.figures[name] for name in names if name in whole.figures},
            [name for name in names if name in skipped],
            {name: whole.failed[name] for name in names if name in whole.failed},
            {name: whole.spent[name] for name in names if name in whole.spent},
            {name: whole.atypical[name] for name in names if name in whole.atypical},
        )


def count_figures(detections: Detections, threshold: float) -> int:
    """Count the mitotic figures with a score of at least the threshold."""
    return int(np.count_nonzero(detections.figures().scores >= np.float32(threshold)))
