"""Reference pixels of two made-up scanners."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.stained import BROWNISH, USUAL, painted


class Painted:
    """A `ReferencePixels`: patches of two stains, figures of two colours."""

    def __init__(self, side: int = 64) -> None:
        self.side = side
        self.images = {
            "A": painted(USUAL, patches=5, side=side, seed=1),
            "B": painted(BROWNISH, patches=3, side=side, seed=2),
        }

    def patches(self) -> Iterator[tuple[str, np.ndarray]]:
        for scanner, images in self.images.items():
            for image in images:
                yield scanner, image

    def figures(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        for scanner, level in (("A", 60), ("B", 90), ("A", 61)):
            yield (
                scanner,
                np.full((24, 24, 3), level, np.uint8),
                np.array([4, 6, 20, 18], np.float32),
            )
