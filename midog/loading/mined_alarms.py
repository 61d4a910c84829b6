"""False alarms that were mined in training ROIs: which are kept, and which one a draw requests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midog.boxes import FloatArray, IntArray

MOST_REPEATS = 8
"""An epoch requests a false alarm at most this many times, on average."""


@dataclass(frozen=True, eq=False)
class Alarms:
    """False alarms of a detector in training ROIs.

    rois: (M,) int64, numbers of their ROIs. boxes: (M, 4) float32, px of the model's mpp. scores:
    (M,) float32.
    """

    rois: IntArray
    boxes: FloatArray
    scores: FloatArray

    def __len__(self) -> int:
        return len(self.rois)

    def taken(self, order: NDArray[np.int64]) -> Alarms:
        """Return those at some places, in that order."""
        return Alarms(self.rois[order], self.boxes[order], self.scores[order])


def no_alarms() -> Alarms:
    """Return none."""
    return Alarms(np.zeros(0, np.int64), np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


def joined_alarms(parts: Sequence[Alarms]) -> Alarms:
    """Return the false alarms of several ROIs, one after the other."""
    whole = [no_alarms(), *parts]
    return Alarms(
        np.concatenate([part.rois for part in whole]),
        np.concatenate([part.boxes for part in whole]),
        np.concatenate([part.scores for part in whole]),
    )


@dataclass(frozen=True)
class _Group:
    """The false alarms of a scanner: `count` of them from `first` on, requested in `slots`."""

    first: int
    count: int
    slots: int


@dataclass(frozen=True, eq=False)
class MinedAlarms:
    """The false alarms that training requests, scanner by scanner; see `keep_hardest`."""

    alarms: Alarms
    groups: Mapping[str, _Group]

    def draw(self, scanner: str, rng: np.random.Generator) -> int | None:
        """Draw one of a scanner's, all equally likely; return its place among `alarms`.

        None where the scanner has none, or so few that each would be requested too often.
        """
        group = self.groups.get(scanner)
        slot = 0 if group is None else int(rng.integers(group.slots))
        return None if group is None or slot >= group.count else group.first + slot


def keep_hardest(
    alarms: Alarms, scanners: Sequence[str], figure_free: Sequence[bool], draws: Mapping[str, float]
) -> MinedAlarms:
    """Keep of each scanner as many false alarms as an epoch has draws for.

    Those in ROIs without figures come first, then those of the highest score; of equal ones the
    first.

    Args:
        alarms: Of all training ROIs, ROI by ROI.
        scanners: Of the ROIs.
        figure_free: Which of the ROIs have no mitotic figure.
        draws: How many false alarms an epoch requests of each scanner.
    """
    free = np.asarray(figure_free, bool)[alarms.rois]
    hardest = np.lexsort((-alarms.scores, ~free))
    names = np.asarray(scanners, dtype=object)[alarms.rois]
    kept, groups, first = [np.zeros(0, np.int64)], {}, 0
    for scanner in sorted(set(names.tolist())):
        room = draws.get(scanner, 0.0)
        own = hardest[names[hardest] == scanner][: math.ceil(room)]
        if len(own):
            slots = max(len(own), math.ceil(room / MOST_REPEATS))
            groups[scanner] = _Group(first, len(own), slots)
            kept.append(own)
            first += len(own)
    return MinedAlarms(alarms.taken(np.concatenate(kept)), groups)
