"""What is written of figures that are told apart: atypical or normal, and how probable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midog.formats.shared import shortest

NORMAL, ATYPICAL = "normal", "atypical"


@dataclass(frozen=True, eq=False)
class AtypicalScores:
    """How probable it is that figures are atypical, for the detections of one image.

    Attributes:
        probabilities: (N,) float32 in [0, 1], in the order of the detections; NaN where nobody
            looked: at class 2, and at scores that count as no figure.
        threshold: In [0, 1], the least at which a figure counts as atypical.
    """

    probabilities: NDArray[np.float32]
    threshold: float

    @property
    def are_atypical(self) -> NDArray[np.bool_]:
        """(N,) bool; false where nobody looked."""
        return np.asarray(self.probabilities >= np.float32(self.threshold))

    @property
    def kinds(self) -> list[str]:
        """Of each detection "atypical", "normal", or "" where nobody looked."""
        looked = ~np.isnan(self.probabilities)
        kinds = np.where(looked, np.where(self.are_atypical, ATYPICAL, NORMAL), "")
        return [str(kind) for kind in kinds]

    @property
    def written(self) -> list[float | None]:
        """The probabilities in the fewest digits; None where nobody looked."""
        return [None if np.isnan(one) else shortest(one) for one in self.probabilities]
