"""What a detection training reads: ROIs by role, checked and described."""

from __future__ import annotations

import shutil

import pytest

from midog.config.load import load_config
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


def test_a_run_with_references_is_another_where_other_unlabelled_images_exist(
    phantom, tiny, tmp_path
):
    copy = tmp_path / "data"
    shutil.copytree(phantom, copy)
    on = [*tiny, f"data.dir={str(copy)!r}", "augment.randstainna.share=1"]
    plain, before = (
        read_detection_data(load_config(None, overrides)).fingerprint for overrides in (on[:-1], on)
    )
    assert before != plain
    unlabelled = [
        roi for roi in read_detection_data(load_config(None, on)).rois if roi.split == "unlabelled"
    ]
    unlabelled[0].path.unlink()
    assert read_detection_data(load_config(None, on[:-1])).fingerprint == plain
    assert read_detection_data(load_config(None, on)).fingerprint != before
