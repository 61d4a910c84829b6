"""Drawn slides are pyramids of 0.5 um/px with annotations and masks that agree."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from midog.data.phantom.draw_slides import _plans, draw_slides
from midog.errors import DataError
from midog.images.image import open_image
from midog.tissue.from_pixels import tissue_mask
from midog.tumour.read import read_truth, truth_in

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two slides of 1024 px."""
    return draw_slides(tmp_path_factory.mktemp("drawn") / "s", slides=2, width=1024, seed=4)


def test_slides_are_pyramids_with_tissue(folder: Path) -> None:
    for name in ("tumor_001", "normal_001"):
        with open_image(folder / "slides" / f"{name}.tif") as image:
            assert [level.size for level in image.levels] == [(1024, 768), (512, 384), (256, 192)]
            assert image.mpp is not None
            assert image.mpp.x == pytest.approx(0.5)
            assert 0.25 < tissue_mask(image).share < 0.8
            fine, coarse = image.read(400, 300, 64, 64), image.read(100, 75, 16, 16, 2)
        mean = fine.reshape(16, 4, 16, 4, 3).mean(axis=(1, 3))
        assert np.abs(mean - coarse).mean() < 9


def test_annotations_and_masks_agree(folder: Path) -> None:
    slide = folder / "slides" / "tumor_001.tif"
    outlined, masked = (truth_in(folder / name, slide) for name in ("annotations", "masks"))
    assert outlined is not None
    assert masked is not None
    truths = [read_truth(path, (1024, 768)) for path in (outlined, masked)]
    levels = [[truth.mask(0, 0, 1024 // n, 768 // n, n) for n in (1, 2, 4)] for truth in truths]
    for ours, theirs in zip(*levels, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert 0.01 < levels[0][0].mean() < 0.3
    assert len(list(folder.glob("*/normal_001*"))) == 1


def test_the_split_lists_all_slides(folder: Path) -> None:
    rows = list(csv.DictReader((folder / "split.csv").read_text().splitlines()))
    assert [row["file_name"] for row in rows] == ["tumor_001.tif", "normal_001.tif"]
    plans = _plans(12)
    parts = [[plan.split for plan in plans if plan.with_tumour is kind] for kind in (True, False)]
    assert parts[0] == parts[1] == ["train"] * 4 + ["val", "test"]
    assert {plan.scanner.name for plan in plans} == {"Phantom A", "Phantom B"}
    assert {plan.split for plan in _plans(6)} == {"train", "val", "test"}


def test_what_is_out_of_range_or_in_the_way_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="slides is 1; give 2 to 1000"):
        draw_slides(tmp_path / "a", slides=1)
    with pytest.raises(DataError, match="width is 99; give 1024 to 16384"):
        draw_slides(tmp_path / "a", width=99)
    with pytest.raises(DataError, match="exists and is not empty"):
        draw_slides(folder, slides=2, width=1024)
    assert not list(tmp_path.iterdir())
