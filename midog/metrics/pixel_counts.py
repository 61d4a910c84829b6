"""Px of a map that are rightly and wrongly taken for a class, and the rates of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PixelCounts:
    """Numbers of px: true and false positives, false and true negatives. Rates of nothing are NaN.

    Rates go by the names of published tables of tumour maps: TP and FN are shares of what is
    positive, TN and FP shares of what is negative.
    """

    tp: int
    fp: int
    fn: int
    tn: int

    @classmethod
    def of(cls, taken: NDArray[np.bool_], truth: NDArray[np.bool_]) -> PixelCounts:
        """Count px that are taken for the class and those that are of it, two arrays (N,) bool."""
        both = int(np.count_nonzero(taken & truth))
        fp, fn = int(np.count_nonzero(taken)) - both, int(np.count_nonzero(truth)) - both
        return cls(both, fp, fn, taken.size - both - fp - fn)

    @classmethod
    def total(cls, parts: Iterable[PixelCounts]) -> PixelCounts:
        """Add up counts."""
        rows = [(part.tp, part.fp, part.fn, part.tn) for part in parts]
        return (
            cls(*(sum(column) for column in zip(*rows, strict=True))) if rows else cls(0, 0, 0, 0)
        )

    @property
    def pixels(self) -> int:
        """All px."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def prevalence(self) -> float:
        """Share of px that are of the class."""
        return _share(self.tp + self.fn, self.pixels)

    @property
    def accuracy(self) -> float:
        """Share of px that are rightly taken."""
        return _share(self.tp + self.tn, self.pixels)

    @property
    def recall(self) -> float:
        """TP rate, sensitivity: of the px of the class those that are taken for it."""
        return _share(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> float:
        """TN rate: of the other px those that are not taken for the class."""
        return _share(self.tn, self.tn + self.fp)

    @property
    def precision(self) -> float:
        """Of the px that are taken for the class those that are of it."""
        return _share(self.tp, self.tp + self.fp)

    @property
    def dice(self) -> float:
        """2 TP / (2 TP + FP + FN), the F1 of px."""
        return _share(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def false_positive_rate(self) -> float:
        """FP rate: of the other px those that are taken for the class."""
        return _share(self.fp, self.tn + self.fp)

    @property
    def false_negative_rate(self) -> float:
        """FN rate: of the px of the class those that are not taken for it."""
        return _share(self.fn, self.tp + self.fn)

    def to_dict(self) -> dict[str, Any]:
        """Counts and rates as plain values."""
        rates = {
            "prevalence": self.prevalence,
            "accuracy": self.accuracy,
            "tp_rate": self.recall,
            "fp_rate": self.false_positive_rate,
            "tn_rate": self.specificity,
            "fn_rate": self.false_negative_rate,
            "precision": self.precision,
            "dice": self.dice,
        }
        return {"tp": self.tp, "fp": self.fp, "fn": self.fn, "tn": self.tn, **rates}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
