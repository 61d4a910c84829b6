"""A detector on a test set: what is kept of it, and when it is made again."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pytest

from midog.evaluation.scoring import evaluate
from midog.locks import being_written, held_file
from midog.metrics.scored_rois import read_arrays
from midog.studies import cells as module
from midog.studies.cells import cells_of, fill_cells
from tests.studies.small import planned


@pytest.fixture
def filled(phantom, model, tmp_path):
    """The cells of a detector, scored with `model` in the place of its own training."""
    plan = planned(tmp_path, phantom, rows={"r": None})
    cells = cells_of(plan, plan.detectors[0], ["val", "test of phantom"], tmp_path / "s")
    (tmp_path / "s").mkdir()
    assert not any(cell.is_done for cell in cells)
    assert fill_cells(cells, [model], tmp_path / "s", "cpu", lambda *_: None)
    return cells


def test_a_cell_holds_what_evaluate_reports(filled, phantom, tmp_path):
    cell = filled[1]
    arrays = read_arrays(cell.file)
    (rois,) = cell.rois.values()
    out = tmp_path / "s" / "detections" / cell.detector.key / "phantom"
    result = evaluate(out, rois, resamples=0)
    pooled = arrays.at(arrays.threshold)
    assert pooled.pooled == result.groups["all"].counts
    assert pooled.area_mm2 == pytest.approx(result.groups["all"].area_mm2)
    assert arrays.scanners == tuple(roi.scanner for roi in rois)
    assert np.isfinite(arrays.ms_per_megapixel) or math.isnan(arrays.ms_per_megapixel)


def test_done_cells_are_left_and_detections_are_not_made_again(
    filled, model, tmp_path, monkeypatch
):
    def never(*_):
        raise AssertionError("detected again")

    monkeypatch.setattr(module, "load_detector", never)
    assert fill_cells(filled, [model], tmp_path / "s", "cpu", lambda *_: None)
    monkeypatch.undo()
    before = read_arrays(filled[0].file)
    filled[0].file.unlink()
    images: list[tuple[str, int | None]] = []
    assert fill_cells(filled, [model], tmp_path / "s", "cpu", lambda *one: images.append(one))
    assert images
    assert all(figures is None for _, figures in images), "skipped"
    assert read_arrays(filled[0].file).matches.scores.tolist() == before.matches.scores.tolist()


def test_a_detector_that_another_process_tests_is_left_to_it(filled, model, tmp_path):
    filled[0].file.unlink()
    lock = tmp_path / "s" / "cells" / f".{filled[0].detector.key}.lock"
    with held_file(lock, being_written(lock)):
        assert not fill_cells(filled, [model], tmp_path / "s", "cpu", lambda *_: None)
    assert not filled[0].is_done


def test_detections_of_another_model_are_made_anew(filled, model, tmp_path):
    cell = filled[0]
    cell.file.unlink()
    settings = next((tmp_path / "s" / "detections" / cell.detector.key).glob("*/*.json"))
    shutil.rmtree(settings.parent)
    assert fill_cells([cell], [model], tmp_path / "s", "cpu", lambda *_: None)
    assert cell.is_done
