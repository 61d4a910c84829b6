"""Which ROIs a model has seen: by their names, and by their patients."""

from __future__ import annotations

from midog.data.roi import Roi
from midog.data.seen import seen_by

ROIS = [Roi("a.tiff", patient="p"), Roi("b.tiff", patient="p"), Roi("c.tiff"), Roi("d.tiff")]


def test_an_roi_is_seen_where_it_or_another_of_its_patient_was_trained_on():
    assert seen_by(ROIS, ["a.tiff"]) == [True, True, False, False]
    assert seen_by(ROIS, ["c.tiff"]) == [False, False, True, False]


def test_rois_that_are_not_here_are_seen_by_name_alone():
    assert seen_by(ROIS, ["other.tiff"]) == [False] * 4
    assert seen_by([], ["other.tiff"]) == []
