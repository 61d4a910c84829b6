"""The worst mistakes of each group, and crops of the images at them."""

from __future__ import annotations

import logging
import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from midog.data.roi import Roi
from midog.evaluation.result import Evaluation
from midog.evaluation.scoring import evaluate
from midog.report import worst_mistakes
from midog.report.pictures import CROP_PX
from midog.report.worst_mistakes import crops_of, left_out, worst_by_group
from tests.evaluation.cases import NO, YES, write
from tests.evaluation.edges import EDGES, sized

Scored = tuple[Evaluation, list[Roi]]


@pytest.fixture
def scored(tmp_path) -> Scored:
    """Two scanners: A with false alarms and misses of every score, B with one false alarm."""
    figures = [(100 * at, 500) for at in range(1, 8)]
    rois = [sized("a.png", figures, [(500, 900)]), sized("b.png", [], scanner="B")]
    below = [(100 * at, 500, 0.1 * at, NO) for at in (4, 2, 3)]
    alarms = [(50 * at, 900, 0.5 + at / 100, YES) for at in range(1, 15)]
    write(tmp_path / "a.json", *below, *alarms)
    write(tmp_path / "b.json", (20, 20, 0.95, YES))
    return evaluate(tmp_path, rois, resamples=0), rois


def test_false_alarms_fall_and_misses_begin_with_those_not_detected(scored):
    alarms, misses, others, none = worst_by_group(scored[0], 6)
    assert (alarms.group, alarms.sort, alarms.total) == ("A", "false alarms", 14)
    assert [round(one.score, 2) for one in alarms.mistakes] == [0.64, 0.63, 0.62, 0.61, 0.6, 0.59]
    assert {one.kind for one in alarms.mistakes} == {"nothing", "near imposter", "imposter"}
    assert (misses.sort, misses.total) == ("missed figures", 7)
    scores = [one.score for one in misses.mistakes]
    assert [math.isnan(score) for score in scores] == [True] * 4 + [False] * 2
    assert scores[4:] == pytest.approx([0.2, 0.3])
    assert [(row.group, row.total, len(row.mistakes)) for row in (others, none)] == [
        ("B", 1, 1),
        ("B", 0, 0),
    ]


def test_groups_are_those_of_all_columns_and_bounded(tmp_path, monkeypatch):
    result, _ = EDGES["nested"](tmp_path)
    assert [row.group for row in worst_by_group(result)][::2] == [
        "lung / A",
        "lung / B",
        "skin / B",
    ]
    assert left_out(result) == 0
    monkeypatch.setattr(worst_mistakes, "MOST_GROUPS", 2)
    assert len(worst_by_group(result)) == 4
    assert left_out(result) == 1


def test_every_image_is_opened_once_and_boxes_are_drawn(scored, tmp_path, monkeypatch):
    result, rois = scored
    path = tmp_path / "a.png"
    Image.fromarray(np.full((1000, 1000, 3), 200, np.uint8)).save(path)
    opened, open_image = [], worst_mistakes.open_image
    monkeypatch.setattr(
        worst_mistakes, "open_image", lambda path: opened.append(path) or open_image(path)
    )
    rois = [replace(rois[0], path=path), rois[1]]
    mistakes = [one for row in worst_by_group(result) for one in row.mistakes]
    crops = {id(one): crop for one, _, crop in crops_of(mistakes, result, rois, boxes=True)}
    assert opened == [path]
    assert [crops[id(one)] is None for one in mistakes] == [
        one.file_name == "b.png" for one in mistakes
    ]
    green, blue = (0, 215, 70), (0, 110, 255)
    missed = next(one for one in mistakes if (one.x_px, one.y_px) == (700, 500))
    crop = crops[id(missed)]
    assert crop.shape == (CROP_PX, CROP_PX, 3)
    assert (crop[128 - 25, 128] == green).all(), "the upper edge of its box of 50 px"
    alarm = next(one for one in mistakes if (one.x_px, one.y_px) == (500, 900))
    assert (crops[id(alarm)][128 - 25, 128] == blue).all()
    bare = next(crop for one, _, crop in crops_of([missed], result, rois, boxes=False))
    assert not (bare[128 - 25, 128] == green).all()


def test_an_image_that_cannot_be_read_is_named_and_the_others_are_shown(scored, tmp_path, caplog):
    result, rois = scored
    (tmp_path / "a.png").write_bytes(b"no picture")
    Image.fromarray(np.full((1000, 1000, 3), 200, np.uint8)).save(tmp_path / "b.png")
    rois = [replace(roi, path=tmp_path / roi.file_name) for roi in rois]
    mistakes = [one for row in worst_by_group(result) for one in row.mistakes]
    with caplog.at_level(logging.WARNING):
        crops = [
            (roi.file_name, crop) for _, roi, crop in crops_of(mistakes, result, rois, boxes=True)
        ]
    assert len(crops) == len(mistakes)
    assert all((crop is None) == (name == "a.png") for name, crop in crops)
    assert caplog.text.count("no pictures of a.png") == 1
