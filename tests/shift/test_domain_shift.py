"""The domain-shift report of a tiny study: the matrix is what `evaluate` says; runs, data and
models are checked."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

from midog.config.load import load_config
from midog.data.folder import data_fingerprint, read_rois, select_rois
from midog.evaluation.scoring import evaluate
from midog.inference.batch import infer
from midog.inference.detector import Detector
from midog.inference.jobs import Job
from midog.shift.domain_shift import domain_shift
from midog.shift.feature_distances import FEATURE_DISTANCES
from midog.shift.images import IMAGE_DISTANCES
from midog.shift.patches import fixed_patches
from tests.shift.studies import SCANNERS, SMALL, settle
from tests.spoiled import copy

# --- the matrix


def test_each_cell_is_what_evaluate_says_of_what_that_model_finds_there(
    trained, phantom, result, tmp_path
):
    test = select_rois(read_rois(phantom), "test")
    assert [row.name for row in result.matrix.rows] == ["only_phantom_a", "only_phantom_b"]
    for row, folder, own in zip(result.matrix.rows, trained, SCANNERS[:2], strict=True):
        infer(
            [Job(roi.path, roi.mpp) for roi in test],
            Detector.load(folder, device="cpu"),
            tmp_path / row.name,
        )
        groups = evaluate(tmp_path / row.name, test, resamples=0).groups
        assert row.train_on == (own,)
        assert set(row.cells) == set(groups) - {"all"} == set(SCANNERS[:3])
        for scanner, cell in row.cells.items():
            assert (cell.counts, cell.rois) == (groups[scanner].counts, groups[scanner].rois)
            assert cell.f1.value == pytest.approx(groups[scanner].counts.f1, nan_ok=True, abs=1e-15)
            assert cell.seen == (scanner == own)
    assert (
        sum(
            cell.counts.tp + cell.counts.fp
            for row in result.matrix.rows
            for cell in row.cells.values()
        )
        > 0
    )
    assert result.same_test


def test_patients_are_drawn_so_a_scanner_of_two_has_an_interval_and_one_of_one_has_not(result):
    for row in result.matrix.rows:
        assert math.isnan(row.cells["Phantom A"].f1.low)
        assert (
            row.cells["Phantom C"].f1.low
            <= row.cells["Phantom C"].f1.value
            <= row.cells["Phantom C"].f1.high
        )
    assert (result.level, result.resamples, result.seed) == (0.95, 40, 0)


def test_all_of_it_is_json_without_nan(result):
    tree = result.to_dict()
    assert json.loads(json.dumps(tree, allow_nan=False)) == tree
    assert [len(tree[key]) for key in ("models", "losses", "pairs", "images")] == [2, 4, 6, 4]


def test_each_loss_comes_with_the_distance_between_its_two_scanners(result):
    assert [(loss.model, loss.scanner) for loss in result.losses] == [
        ("only_phantom_a", "Phantom B"),
        ("only_phantom_a", "Phantom C"),
        ("only_phantom_b", "Phantom A"),
        ("only_phantom_b", "Phantom C"),
    ]
    apart = {frozenset((pair.a, pair.b)): pair.distances for pair in result.pairs}
    for loss, distances in zip(result.losses, result.loss_distances, strict=True):
        assert set(distances) == {*IMAGE_DISTANCES, *FEATURE_DISTANCES}
        between = apart[frozenset((*loss.train_on, loss.scanner))]
        for name in distances if loss.model == result.feature_model else IMAGE_DISTANCES:
            assert distances[name] == pytest.approx(between[name], rel=1e-9, nan_ok=True)
        assert distances["frechet"] > 0
    assert set(result.correlations) == {*IMAGE_DISTANCES, *FEATURE_DISTANCES}
    for name in {*result.correlations} - {"pad"}:  # which is not known of one patient
        by_drop = result.correlations[name]
        assert {drop: each.n for drop, each in by_drop.items()} == {
            drop: sum(not math.isnan(getattr(loss, drop)) for loss in result.losses)
            for drop in ("from_own", "from_native")
        }


def test_a_model_of_two_scanners_loses_over_the_mean_distance_from_both(both, trained, light):
    alone = domain_shift([both], **SMALL)
    assert math.isnan(alone.matrix.on_diagonal.value)
    ((loss, distances),) = zip(alone.losses, alone.loss_distances, strict=True)
    assert (loss.train_on, loss.scanner) == (("Phantom A", "Phantom B"), "Phantom C")
    apart = [pair.distances for pair in alone.pairs if pair.b == "Phantom C"]
    assert len(apart) == 2
    for name in IMAGE_DISTANCES:
        assert distances[name] == pytest.approx(np.mean([each[name] for each in apart]), abs=1e-12)
    together = domain_shift([*trained, both], **SMALL)
    assert together.feature_model == "both", (
        "features are those of the model that saw most scanners"
    )
    assert {loss.model for loss in together.losses} == {"only_phantom_a", "only_phantom_b"}
    assert together.same_test


# --- images and features


def test_the_unlabelled_scanner_takes_part_in_images_features_and_pairs(result):
    assert result.unlabelled == ("Phantom D",)
    assert list(result.images) == list(result.projection) == list(result.samples) == SCANNERS
    assert [(pair.a, pair.b) for pair in result.pairs] == list(itertools.combinations(SCANNERS, 2))
    for pair in result.pairs:
        assert list(pair.distances) == [*IMAGE_DISTANCES, *FEATURE_DISTANCES]
        of_one_patient = {"Phantom A", "Phantom B"} & {pair.a, pair.b}
        known = [name for name, value in pair.distances.items() if math.isfinite(value)]
        assert set(pair.distances) - set(known) == ({"pad"} if of_one_patient else set()), pair
    assert result.feature_model == "only_phantom_a"


def test_each_scanner_has_its_baseline_but_one_of_one_patient(result):
    assert list(result.within) == SCANNERS
    for scanner, baseline in result.within.items():
        assert list(baseline) == [*IMAGE_DISTANCES, *FEATURE_DISTANCES]
        unknown = {name for name, value in baseline.items() if math.isnan(value)}
        assert unknown == (set(baseline) if scanner in SCANNERS[:2] else {"pad"}), (
            "two patients are a pair of halves"
        )


def test_every_test_or_unlabelled_roi_is_looked_at_once_and_no_other(result, phantom):
    """An ROI of train or val would tell a scanner that a model learned from by what it knows by
    heart."""
    rois = {"Phantom A": 1, "Phantom B": 1, "Phantom C": 2, "Phantom D": 2}
    assert {scanner: each.patches for scanner, each in result.images.items()} == {
        k: 2 * v for k, v in rois.items()
    }
    assert {scanner: each.shape for scanner, each in result.projection.items()} == {
        scanner: (2 * count, 2) for scanner, count in rois.items()
    }
    chosen = [roi for roi in read_rois(phantom) if roi.split in ("test", "unlabelled")]
    for each in fixed_patches(chosen, size_px=64, per_roi=2):
        np.testing.assert_array_equal(result.samples[each.scanner], each.images)
    assert (
        result.patches
        == "2 to 4 patches from 1 to 2 of the test and unlabelled ROIs of each scanner, 64 px at"
        " 0.25 um/px, places of seed 0"
    )


def test_an_roi_that_is_test_to_one_run_is_looked_at(runs, phantom, tmp_path):
    """001.tiff is in train of the one, and in test of the other."""
    run = runs / "only_phantom_b"
    split = tmp_path / "split.csv"
    split.write_text(Path(load_config(run / "config.yaml").data.split).read_text())
    row = next(
        line
        for line in (phantom / "split.csv").read_text().splitlines()
        if line.startswith("001.tiff")
    )
    split.write_text(split.read_text() + row.replace(",train", ",test") + "\n")
    settle(run, "split", str(split))
    (run / "data.json").write_text(
        json.dumps({"fingerprint": data_fingerprint(read_rois(phantom, split=str(split)))})
    )
    outcome = domain_shift([runs / "only_phantom_a", run], **SMALL)
    assert outcome.images["Phantom A"].patches == 4
    assert not outcome.same_test


def test_unlabelled_images_that_are_not_there_are_left_out(runs, phantom, tmp_path, caplog):
    data = copy(phantom, tmp_path / "data")
    for name in ("009.tiff", "010.tiff"):
        (data / "images" / name).unlink()
    outcome = domain_shift([runs / "only_phantom_a"], data=data, **SMALL)
    assert list(outcome.images) == SCANNERS[:3]
    assert outcome.unlabelled == ()
    assert "2 of 6 images are missing and are not compared: 009.tiff, 010.tiff" in caplog.text


def test_progress_is_told_by_run(runs):
    lines: list[str] = []
    images: list[tuple[int, int]] = []
    folders = [runs / "only_phantom_a", runs / "only_phantom_b"]
    domain_shift(
        folders,
        on_step=lines.append,
        on_image=lambda done, total: images.append((done, total)),
        **SMALL,
    )
    assert lines == [
        "[1/2] only_phantom_a: testing on 4 ROIs",
        "[2/2] only_phantom_b: testing on 4 ROIs",
        "measuring images and features",
    ]
    assert images == [(done, 8) for done in range(1, 9)]
