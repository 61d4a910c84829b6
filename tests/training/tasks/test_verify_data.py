"""The data of a verifier: what may not leak, and what is said of in-fold false alarms."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from midog.config.load import load_config
from midog.data.candidates import OTHER_LABEL, Candidate, read_candidates, write_candidates
from midog.data.folder import read_rois
from midog.errors import ConfigError, DataError, WeightsError
from midog.inference import ensemble_folder
from midog.inference.batch import infer
from midog.inference.detector import Detector
from midog.inference.jobs import job_of
from midog.training.tasks.verify_data import VerifyData, read_verify_data
from tests.planted import draw_planted, save_detector

pytestmark = pytest.mark.usefixtures("dark_spots")

TRAIN = [f"{number:03d}.tiff" for number in range(1, 5)]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return draw_planted(tmp_path_factory.mktemp("data") / "data")


def read(data: Path, detector: Path, *overrides: str) -> VerifyData:
    own = [f"data.dir={data}", "task.kind=verify", f"task.detector={detector}"]
    return read_verify_data(load_config(None, [*own, *overrides]))


def test_a_detector_that_trained_on_val_is_refused(data, tmp_path):
    with pytest.raises(DataError, match=r"was trained on 1 val ROIs \(005\.tiff\)"):
        read(data, save_detector(tmp_path / "a", [*TRAIN, "005.tiff"]))
    read(data, save_detector(tmp_path / "b", TRAIN))


def test_a_val_roi_of_a_patient_that_was_trained_on_is_refused(data, tmp_path):
    rois = [
        replace(roi, patient="p1") if roi.file_name == "005.tiff" else roi
        for roi in read_rois(data)
    ]
    config = load_config(
        None, ["task.kind=verify", f"task.detector={save_detector(tmp_path / 'a', TRAIN)}"]
    )
    with pytest.raises(DataError, match=r"1 val ROIs \(005"):
        read_verify_data(config, rois)


def test_what_is_not_known_of_the_detector_is_said(data, tmp_path, caplog):
    read(data, save_detector(tmp_path / "a", None))
    assert "does not state what the detector was trained on" in caplog.text


def test_without_a_detector_or_with_a_wrong_path_it_says_what_to_give(data, tmp_path):
    config = load_config(None, [f"data.dir={data}", "task.kind=verify"])
    with pytest.raises(DataError, match=r"none is named; name its run with task\.detector"):
        read_verify_data(config)
    with pytest.raises(WeightsError, match="no model folder"):
        read(data, tmp_path / "nowhere")


def detect(data: Path, model: Path, out: Path) -> Path:
    rois = [roi for roi in read_rois(data) if roi.split in ("train", "val")]
    jobs = [job_of(roi, roi.path) for roi in rois]
    assert not infer(jobs, Detector.load(model, device="cpu"), out).failed
    return out


def test_in_fold_detections_are_said_in_one_line(data, tmp_path, caplog):
    detector = save_detector(tmp_path / "d", TRAIN)
    out = detect(data, detector, tmp_path / "in_fold")
    caplog.clear()
    taken = read(data, detector, f"task.candidates={out}")
    assert {one.origin for one in taken.alarms} == {"in-fold"}
    lines = [line for line in caplog.messages if "false alarms" in line]
    assert len(lines) == 1
    assert "12 of 12 false alarms are in-fold" in lines[0]
    assert "(12 in-fold)" in "\n".join(taken.describe())


def test_detections_of_a_model_of_other_rois_are_out_of_fold_and_nothing_is_said(
    data, tmp_path, caplog
):
    fold = save_detector(tmp_path / "f", ["007.tiff"])
    out = detect(data, fold, tmp_path / "out_of_fold")
    caplog.clear()
    detector = save_detector(tmp_path / "d", TRAIN)
    taken = read(data, detector, f"task.candidates={out}")
    assert {one.origin for one in taken.alarms} == {"out-of-fold"}
    assert {one.file_name for one in taken.alarms} == set(TRAIN), "those of val never train it"
    assert not [line for line in caplog.messages if "false alarms" in line]


def alarms(tmp_path: Path, *candidates: Candidate) -> str:
    write_candidates(tmp_path / "c.csv", candidates)
    return f"task.candidates={tmp_path / 'c.csv'}"


def test_candidates_outside_train_are_left_out_with_a_line(data, tmp_path, caplog):
    listed = alarms(
        tmp_path,
        Candidate("001.tiff", 140, 36, OTHER_LABEL, "out-of-fold", 0.5),
        Candidate("005.tiff", 140, 36, OTHER_LABEL, "out-of-fold", 0.5),
        Candidate("001.tiff", 40, 60, "mitotic figure", "out-of-fold", 0.5),
    )
    taken = read(data, save_detector(tmp_path / "d", TRAIN), listed)
    assert [one.file_name for one in taken.alarms] == ["001.tiff"]
    assert "1 candidates outside the train ROIs are left out" in caplog.text
    with pytest.raises(DataError, match=r"in 1 files that the data folder does not have"):
        read(data, tmp_path / "d", alarms(tmp_path, Candidate("x.tiff", 1, 2, OTHER_LABEL)))


def test_another_list_or_detector_is_other_data(data, tmp_path):
    detector = save_detector(tmp_path / "d", TRAIN)
    one = Candidate("001.tiff", 140, 36, OTHER_LABEL, "out-of-fold", 0.5)
    first = read(data, detector, alarms(tmp_path, one)).fingerprint
    assert read(data, detector, alarms(tmp_path, one)).fingerprint == first
    assert read(data, detector, alarms(tmp_path, one._replace(x=141))).fingerprint != first
    other = save_detector(tmp_path / "e", TRAIN, weight=0.5)
    assert read(data, other, alarms(tmp_path, one)).fingerprint != first
    assert len(read_candidates(tmp_path / "c.csv")) == 1


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("task.crop=50", "crop is 50: a backbone needs a multiple of 32"),
        ("task.p_imposter=0.8", "over 1"),
        ("task.weights=coco", "coco are a detector's"),
        ("task.classifier=runs/c", "a classifier is for body patches, and body is detector"),
        ("task.network=resnet19", "did you mean resnet18"),
        ("task.candidate=c.csv", r"did you mean task\.candidates"),
        ("task.backbone=resnet19", "did you mean resnet18"),
    ],
)
def test_a_wrong_setting_is_named(override, says):
    with pytest.raises(ConfigError, match=says):
        load_config(None, ["task.kind=verify", override])


def test_an_ensemble_is_no_detector_of_a_verifier(data, tmp_path):
    (tmp_path / "e").mkdir()
    tree = {"format": ensemble_folder._FORMAT, "task": "detection", "members": ["a", "b"]}
    (tmp_path / "e" / "model.json").write_text(json.dumps(tree))
    with pytest.raises(
        DataError, match="e is an ensemble, and a verifier is of one detector; name"
    ):
        read(data, tmp_path / "e")
