"""The plan: equal trainings once, and what a detector is tested on."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from midog.errors import ConfigError, DataError
from midog.studies.plan import Plan, make_plan
from tests.spoiled import copy
from tests.studies.small import study_of


def plan_of(folder: Path, phantom: Path, overlay: dict | None = None, **keys: object) -> Plan:
    study = study_of(folder, **keys)
    folders = dict.fromkeys(study.folders, phantom)
    runs = folder / "runs"
    return make_plan(study, folders, runs, overlay=overlay or {}, rate=lambda *_: math.nan)


def test_equal_trainings_of_rows_and_designs_are_one(phantom, tmp_path):
    rows = {
        "base": None,
        "same": {"set": {"machine.workers": 0}},
        "other": {"set": {"train.lr": 1}},
    }
    plan = plan_of(tmp_path, phantom, rows=rows, designs=["all", "single", "leave-one-out"])
    # of two scanners, leaving one out is the other alone
    assert len(plan.detectors) == 3 * (1 + 2 + 2)
    assert len(plan.trainings) == 2 * (1 + 2)
    names = [training.name.rsplit("-", 1)[0] for training in plan.trainings[:3]]
    assert names == ["base-all-s0", "base-only_phantom_a-s0", "base-only_phantom_b-s0"]
    assert len({detector.key for detector in plan.detectors}) == len(plan.trainings)


def test_seeds_and_ensembles(phantom, tmp_path):
    rows = {"one": None, "three": {"ensemble": 3}}
    plan = plan_of(tmp_path, phantom, rows=rows, seeds=[0, 1, 2])
    assert [detector.seeds for detector in plan.detectors] == [(0,), (1,), (2,), (0, 1, 2)]
    assert len(plan.trainings) == 3
    assert [detector.is_retuned for detector in plan.detectors] == [False, False, False, True]
    assert plan.detectors[3].key not in [detector.key for detector in plan.detectors[:3]]


def test_a_training_holds_the_settings_of_row_seed_budget_and_machine(phantom, tmp_path):
    rows = {"r": {"set": {"train": {"lr": 0.25}}, "budget": {"updates": 12}}}
    plan = plan_of(tmp_path, phantom, {"train.pictures": 0}, rows=rows, seeds=[7])
    (training,) = plan.trainings
    train = training.config.train
    assert (train.lr, train.seed, train.pictures) == (0.25, 7, 0)
    trained_on = sum(roi.split == "train" for roi in training.rois)
    assert train.epochs == max(1, round(12 / math.ceil(trained_on * 6 / 4)))
    assert training.config.data.dir == phantom


def test_val_of_a_scanner_that_was_left_out_is_tested_and_not_trained_on(phantom, tmp_path):
    plan = plan_of(tmp_path, phantom, designs=["leave-one-out"])
    for detector in plan.detectors:
        (val,) = plan.tested(detector, "val").values()
        assert {roi.scanner for roi in val} == {"Phantom A", "Phantom B"}
        listed = {row.file_name for row in detector.part.split.rows if row.split == "val"}
        assert {roi.scanner for roi in val if roi.file_name in listed} == set(
            detector.part.train_on
        )


def test_a_test_is_of_its_columns_and_of_its_folder(phantom, tmp_path):
    other = copy(phantom, tmp_path / "other")
    tests = {
        "c": {"data": "phantom", "where": {"scanner": "Phantom C"}},
        "far": {"data": "far", "subset": "all"},
    }
    study = study_of(tmp_path, tests=tests)
    folders = {"phantom": phantom, "far": other}
    plan = make_plan(study, folders, tmp_path, overlay={}, rate=lambda *_: math.nan)
    detector = plan.detectors[0]
    (rois,) = plan.tested(detector, "c").values()
    assert {(roi.scanner, roi.split) for roi in rois} == {("Phantom C", "test")}
    far = plan.tested(detector, "far")["far"]
    assert {roi.split for roi in far} == {"train", "val", "test"}
    assert {roi.path.parents[1] for roi in far} == {other}


def test_folds_test_each_roi_once_and_never_one_that_was_trained_on(phantom, tmp_path):
    plan = plan_of(tmp_path, phantom, designs=["folds"], folds=2, rows={"r": None})
    tested = []
    for detector in plan.detectors:
        roles = {row.file_name: row.split for row in detector.part.split.rows}
        (rois,) = plan.tested(detector, "test of phantom").values()
        assert {roles[roi.file_name] for roi in rois} == {"test"}
        tested += [roi.file_name for roi in rois]
    labelled = [roi.file_name for roi in plan.rois["phantom"] if roi.split != "unlabelled"]
    assert sorted(tested) == sorted(labelled)


@pytest.mark.parametrize(
    ("keys", "kind", "says"),
    [
        ({"data": ["b"]}, ConfigError, "study s needs the data folder b; state where with data"),
        ({"rows": {"r": {"set": {"train.lrr": 1}}}}, ConfigError, "row r: unknown key train.lrr"),
        ({"rows": {"r": {"config": "nowhere"}}}, ConfigError, "no config file nowhere"),
        (
            {"tests": {"t": {"data": "phantom", "where": {"roi_type": "none"}}}},
            DataError,
            r"test 't' of row baseline \(all\) has no ROI",
        ),
        ({"set": {"machine.devices": 2}}, ConfigError, "run on one device each"),
    ],
)
def test_what_cannot_be_planned_is_one_line(phantom, tmp_path, keys, kind, says):
    study = study_of(tmp_path, **keys)
    with pytest.raises(kind, match=says):
        make_plan(study, {"phantom": phantom}, tmp_path, overlay={}, rate=lambda *_: math.nan)


def test_a_folder_that_no_row_uses_is_named(phantom, tmp_path):
    folders = {"phantom": phantom, "fantom": phantom}
    with pytest.raises(ConfigError, match="uses no data folder named fantom; choose from phantom"):
        make_plan(study_of(tmp_path), folders, tmp_path, overlay={}, rate=lambda *_: math.nan)
