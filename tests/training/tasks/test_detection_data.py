"""What a detection training reads: ROIs by role, checked and described."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from midog.boxes import Boxes
from midog.config.load import load_config
from midog.data.roi_types import has_figures
from midog.errors import DataError
from midog.training.tasks.detection_data import read_detection_data


def test_the_description_counts_data_patches_and_parameters(phantom, tiny):
    data = read_detection_data(load_config(None, tiny))
    lines = "\n".join(data.describe())
    figures = sum(int((roi.boxes.labels == 1).sum()) for roi in data.rois if roi.split == "train")
    assert f"train: 2 ROIs (1 Phantom A, 1 Phantom B), {figures} mitotic figures" in lines
    assert "patches per epoch: 12 of 64x64 px, 3 updates; 36 in all" in lines
    assert "retinanet on resnet18" in lines


def test_a_missing_training_image_is_named_before_anything_starts(phantom, tiny, tmp_path):
    copy = tmp_path / "data"
    shutil.copytree(phantom, copy)
    (copy / "images" / "001.tiff").unlink()
    with pytest.raises(DataError, match=r"001\.tiff"):
        read_detection_data(load_config(None, [*tiny, f"data.dir={str(copy)!r}"]))


def test_the_fingerprint_differs_where_the_data_do(phantom, tiny):
    whole = read_detection_data(load_config(None, tiny))
    part = read_detection_data(
        load_config(None, tiny), [roi for roi in whole.rois if roi.split != "test"]
    )
    assert whole.fingerprint == read_detection_data(load_config(None, tiny)).fingerprint
    assert whole.fingerprint != part.fingerprint


def test_figure_free_rois_are_part_of_a_training_and_need_some(phantom, tiny):
    rois = read_detection_data(load_config(None, tiny)).rois
    full = [roi for roi in rois if roi.split != "train" or has_figures(roi)]
    with pytest.raises(DataError, match=r"a share of 0\.2 of draws was to be in ROIs without"):
        read_detection_data(load_config(None, [*tiny, "sampling.p_figure_free=0.2"]), full)
    (first, *_) = [roi for roi in full if roi.split == "train"]
    empty = replace(first, file_name="empty.tiff", boxes=Boxes(), columns={"figure_free": "yes"})
    with_empty = load_config(None, [*tiny, "sampling.p_figure_free=0.2"])
    lines = read_detection_data(with_empty, [*full, empty]).describe()
    assert any(line.startswith("train: ") for line in lines)


def test_draws_even_over_types_need_types(phantom, tiny):
    config = load_config(None, [*tiny, "sampling.balance=roi_type"])
    with pytest.raises(DataError, match=r"no ROI of train states a roi_type"):
        read_detection_data(config)


def test_a_val_part_without_figures_cannot_choose_a_model(phantom, tiny):
    rois = [
        replace(roi, boxes=Boxes(), columns={"figure_free": "yes"}) if roi.split == "val" else roi
        for roi in read_detection_data(load_config(None, tiny)).rois
    ]
    with pytest.raises(DataError, match=r"no ROI of val has a mitotic figure, to choose a model"):
        read_detection_data(load_config(None, tiny), rois)
