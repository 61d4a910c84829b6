"""Detections that the tests of several formats write."""

from __future__ import annotations

import numpy as np

from midog.boxes import Detections, squares_around
from midog.formats.atypical import AtypicalScores

NOTHING = Detections()
SOME = Detections(
    boxes=squares_around([(100, 50), (10.25, 200), (300, 300), (0, 0)]),
    scores=np.array([0.3, 0.9, 0.7, 0.95], np.float32),
    labels=[1, 1, 1, 2],
)


TOLD = AtypicalScores(np.array([np.nan, 0.25, 0.75, np.nan], np.float32), 0.5)
"""Of SOME, at a threshold of 0.7: the second figure is normal, the third atypical."""
