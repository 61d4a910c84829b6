"""Tables of scores: dashes for what has no value."""

from __future__ import annotations

import math
from types import SimpleNamespace

from midog.cli.score_tables import print_tuned
from midog.metrics.counts import Counts


def test_a_tuned_threshold_is_one_row(capsys):
    print_tuned(SimpleNamespace(threshold=0.5, rois=2, counts=Counts(3, 1, 1), area_mm2=4.0))
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == [
        "threshold",
        "ROIs",
        "TP",
        "FP",
        "FN",
        "precision",
        "recall",
        "F1",
        "FP/mm2",
    ]
    assert row.split() == ["0.500", "2", "3", "1", "1", "0.750", "0.750", "0.750", "0.250"]


def test_without_an_area_or_detections_there_are_dashes(capsys):
    assert math.isnan(Counts(0, 0, 1).precision)
    print_tuned(SimpleNamespace(threshold=0.5, rois=1, counts=Counts(0, 0, 1), area_mm2=0.0))
    assert capsys.readouterr().out.splitlines()[1].split()[5:] == ["-", "0.000", "0.000", "-"]
