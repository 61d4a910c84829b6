"""The data of an adversarial training: scanners are domains, unlabelled ROIs lose their boxes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from midog.boxes import Boxes
from midog.config.load import load_config
from midog.data.folder import read_rois
from midog.data.roi import Roi
from midog.errors import DataError
from midog.training.tasks.adversarial_data import AdversarialData, with_unlabelled
from midog.training.tasks.detection_data import DetectionData
from tests.spoiled import TINY, one_line
from tests.spoiled import settings as words

CONFIG = load_config(None, [*TINY, "task.kind=adversarial"])


def read(rois: list[Roi]) -> AdversarialData:
    return with_unlabelled(DetectionData(CONFIG, rois), CONFIG.task)


def test_the_unlabelled_scanner_is_a_domain_and_said_so(phantom):
    data = read(read_rois(phantom))
    assert data.describe()[-1] == (
        "domains: Phantom A, Phantom B; of unlabelled ROIs: Phantom D; 1 unlabelled patches beside"
        " 4 in each batch"
    )


def test_boxes_of_unlabelled_rois_change_nothing(phantom):
    rois = read_rois(phantom)
    box = Boxes([[10, 10, 60, 60]], [1])
    labelled = [replace(roi, boxes=box) if roi.split == "unlabelled" else roi for roi in rois]
    data = read(labelled)
    assert len(data.unlabelled) > 0
    assert all(len(roi.boxes) == 0 for roi in data.unlabelled)


def test_one_scanner_is_an_error(phantom):
    rois = [roi for roi in read_rois(phantom) if roi.split != "unlabelled"]
    alone = [roi for roi in rois if roi.split != "train" or roi.scanner == "Phantom A"]
    with pytest.raises(DataError, match="all ROIs to train on are of Phantom A, and there are no"):
        read(alone)
    missing = [replace(roi, path=None) for roi in read_rois(phantom) if roi.split == "unlabelled"]
    with pytest.raises(DataError, match=rf"\(of {len(missing)} the image is missing\)"):
        read([*alone, *missing])


def test_an_roi_without_a_scanner_is_an_error(phantom):
    rois = [replace(roi, scanner="") if roi.split == "train" else roi for roi in read_rois(phantom)]
    with pytest.raises(DataError, match="has no scanner, which is its domain"):
        read(rois)


def test_a_wrong_setting_is_one_line(midog, phantom: Path, tmp_path):
    data = shutil.copytree(phantom, tmp_path / "data")
    overrides = words([*TINY, "task.kind=adversarial", "task.wieght=1"])
    ran = midog("train", "--data", data, "--runs", tmp_path / "runs", *overrides)
    assert "unknown key task.wieght (did you mean task.weight?)" in one_line(ran)
