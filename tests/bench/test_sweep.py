"""The stage of counts at all thresholds, and its synthetic points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from midog.bench import sweep as bench
from midog.metrics.counts import counts_at
from midog.metrics.sweep import sweep


def test_detections_are_swept(conditions):
    measured = bench.sweep_stage(conditions)
    assert measured.detail["detections"] == 400
    assert measured.rate > 0
    assert measured.limit_share > 0


def test_too_few_detections_for_one_roi_are_one_roi(conditions):
    measured = bench.sweep_stage(replace(conditions, detections=1))
    assert measured.detail["detections"] == bench.PER_ROI


def test_counts_are_read_off_a_sweep_at_any_threshold():
    points = bench.synthetic_rois(3, 40, 5, seed=1)
    thresholds = np.array([0.0, 0.1, 0.5, 1.0, *points[0].scores[:3]])
    assert bench.counts_from(sweep(points), thresholds) == [
        counts_at(points, threshold) for threshold in thresholds
    ]


def test_synthetic_rois_hold_what_was_asked_for_and_repeat():
    one, again = (bench.synthetic_rois(2, 30, 4, seed=5) for _ in range(2))
    assert [(len(roi.truth_mm), len(roi.detected_mm)) for roi in one] == [(4, 30)] * 2
    assert all((a.detected_mm == b.detected_mm).all() for a, b in zip(one, again, strict=True))
    assert len(bench.synthetic_rois(1, 5, 0, seed=0)[0].truth_mm) == 0
