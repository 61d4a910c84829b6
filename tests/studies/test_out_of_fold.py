"""Out-of-fold detections: folds by patient, trainings that continue, and no leak."""

from __future__ import annotations

from pathlib import Path

import pytest

from midog.boxes import Boxes
from midog.config.load import load_config
from midog.data.folder import read_rois
from midog.data.roi import Roi
from midog.errors import CheckpointError, ConfigError, DataError
from midog.studies.out_of_fold import describe_candidates, fold_rois, out_of_fold, train_folds
from tests.planted import draw_planted, save_detector
from tests.spoiled import TINY


def rois() -> list[Roi]:
    """Twelve train ROIs of six patients, two of val and one of test."""
    boxes = Boxes([[10, 10, 60, 60]], [1])
    train = [
        Roi(f"{n}.tiff", 99, 99, boxes, scanner="AB"[n % 2], patient=f"p{n // 2}", split="train")
        for n in range(12)
    ]
    others = [
        Roi(f"{role}{n}.tiff", 99, 99, boxes, scanner="A", patient=f"{role}{n}", split=role)
        for role, n in (("val", 0), ("val", 1), ("test", 0))
    ]
    return [*train, *others]


@pytest.mark.parametrize("folds", [2, 3, 6])
def test_every_train_roi_is_held_out_once_with_its_patient(folds):
    parts = fold_rois(rois(), folds, seed=0)
    assert len(parts) == folds
    held = [roi.file_name for part in parts for roi in part if roi.split == "test"]
    assert sorted(held) == sorted(f"{n}.tiff" for n in range(12))
    for part in parts:
        roles = {
            role: {roi.patient for roi in part if roi.split == role}
            for role in ("train", "val", "test")
        }
        assert not roles["train"] & roles["test"]
        assert roles["val"] == {"val0", "val1"}, "val stays what it is"
    assert fold_rois(rois(), folds, seed=0)[0][0].split == parts[0][0].split


def test_more_folds_than_patients_are_an_error():
    with pytest.raises(DataError, match="fewer than 7 patients"):
        fold_rois(rois(), 7, seed=0)
    with pytest.raises(ConfigError, match="1 folds"):
        fold_rois(rois(), 1, seed=0)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return draw_planted(tmp_path_factory.mktemp("data") / "data")


def test_folds_are_trained_once_and_their_detections_are_out_of_fold(data, tmp_path, dark_spots):
    tiny = [word for word in TINY if not word.startswith("model.")]
    tiny += ["model.kind=dark_spots", "model.weights=none", "train.epochs=1", f"data.dir={data}"]
    config = load_config(None, tiny)
    lines: list[str] = []
    all_rois = read_rois(data)

    def run() -> list[Path]:
        return train_folds(
            config,
            all_rois,
            2,
            runs=tmp_path,
            on_training=lambda done, total, line: lines.append(f"{done + 1}/{total} {line}"),
        )

    folders = run()
    assert lines == [
        "1/2 fold1: training without 2 of the train ROIs",
        "2/2 fold2: training without 2 of the train ROIs",
    ]
    assert run() == folders
    assert lines[2:] == ["1/2 fold1 is done", "2/2 fold2 is done"]
    candidates = out_of_fold(folders, all_rois, tmp_path / "out", device="cpu")
    assert {one.origin for one in candidates} <= {"out-of-fold"}
    held = {path.stem for path in (tmp_path / "out").glob("model*/0*.json")}
    assert held == {"001", "002", "003", "004"}
    other = load_config(None, [*tiny, "train.lr=0.5"])
    with pytest.raises(CheckpointError, match=r"train\.lr: 0\.0001, now 0\.5; choose another runs"):
        train_folds(other, all_rois, 2, runs=tmp_path)


def test_a_model_never_looks_at_what_it_has_seen(data, tmp_path, dark_spots, caplog):
    all_rois = read_rois(data)
    first = save_detector(tmp_path / "a", ["001.tiff", "002.tiff", "003.tiff"])
    again = save_detector(tmp_path / "b", ["001.tiff", "004.tiff"])
    candidates = out_of_fold([first, again], all_rois, tmp_path / "out", device="cpu")
    assert {one.file_name for one in candidates} == {"002.tiff", "003.tiff", "004.tiff"}
    assert {one.origin for one in candidates} == {"out-of-fold"}
    assert "1 train ROIs were seen by every model and are left out: 001.tiff" in caplog.text
    assert [path.stem for path in (tmp_path / "out" / "model1").glob("0*.json")] == ["004"]
    assert describe_candidates(candidates) == (
        "18 detections: 9 of figures, 9 false alarms, 9 of these out of fold"
    )
    whole = save_detector(tmp_path / "c", [f"{n:03d}.tiff" for n in range(1, 5)])
    with pytest.raises(DataError, match="seen every train ROI: no detection would be out of fold"):
        out_of_fold([whole], all_rois, tmp_path / "none", device="cpu")
    silent = save_detector(tmp_path / "d", None)
    with pytest.raises(DataError, match="does not state which ROIs it was trained on"):
        out_of_fold([silent], all_rois, tmp_path / "none", device="cpu")


def test_other_tasks_and_several_devices_are_refused():
    with pytest.raises(ConfigError, match=r"task\.kind is verify"):
        train_folds(load_config(None, ["task.kind=verify"]), rois(), 2, runs=Path("runs"))
    with pytest.raises(ConfigError, match="one device each"):
        train_folds(load_config(None, ["machine.devices=2"]), rois(), 2, runs=Path("runs"))
