"""The sweep's benchmark, which also holds its counts to the plain rule's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from midog.bench import sweep as bench
from midog.errors import MidogError
from midog.metrics.counts import Counts, counts_at
from midog.metrics.sweep import sweep


def test_the_sweep_is_set_against_690_calls(plan):
    found = bench.sweep_stage(plan)
    assert found.detail["detections"] == 400
    assert found.ratio == pytest.approx(found.ours / found.plain)
    assert found.limit_share > 0


def test_too_few_detections_for_one_roi_are_one_roi(plan):
    assert bench.sweep_stage(replace(plan, detections=1)).detail["detections"] == bench.PER_ROI


def test_counts_that_differ_are_an_error(plan, monkeypatch):
    monkeypatch.setattr(bench, "counts_at", lambda points, threshold: Counts(0, 0, 0))
    with pytest.raises(MidogError, match="not the plain rule's at 690 of 690 thresholds"):
        bench.sweep_stage(plan)


def test_counts_are_read_off_a_sweep_at_any_threshold():
    points = bench.made_up_rois(3, 40, 5, seed=1)
    thresholds = np.array([0.0, 0.1, 0.5, 1.0, *points[0].scores[:3]])
    assert bench.counts_from(sweep(points), thresholds) == [
        counts_at(points, each) for each in thresholds
    ]


def test_made_up_rois_hold_what_was_asked_for_and_repeat():
    one, again = (bench.made_up_rois(2, 30, 4, seed=5) for _ in range(2))
    assert [(len(roi.truth_mm), len(roi.detected_mm)) for roi in one] == [(4, 30)] * 2
    assert all((a.detected_mm == b.detected_mm).all() for a, b in zip(one, again, strict=True))
    assert len(bench.made_up_rois(1, 5, 0, seed=0)[0].truth_mm) == 0
