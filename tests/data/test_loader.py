"""Batches: the right pixels and targets, the same ones for any number of threads and ranks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from midog.boxes import Boxes
from midog.config import load_config
from midog.data.annotations import Roi
from midog.data.folder import read_rois
from midog.data.loader import (
    Pixels,
    batches_per_epoch,
    cut,
    cut_batch,
    load_pixels,
    rank_indices,
    resolve_residency,
    training_batches,
    validation_batches,
)
from midog.data.sampling import Field, Location
from midog.data.slides import open_image
from midog.errors import DataError, ImageError


def pixels_of(*sizes: tuple[int, int]) -> Pixels:
    """ROIs whose pixels say where they are: red = x, green = y, blue = number."""
    images, fields, rois = [], [], []
    for number, (width, height) in enumerate(sizes):
        y, x = np.mgrid[:height, :width]
        images.append(np.stack([x % 256, y % 256, np.full_like(x, number)], axis=-1).astype(np.uint8))
        boxes = Boxes([[20, 30, 70, 80]], [1])
        fields.append(Field(width, height, boxes, "A"))
        rois.append(Roi(f"{number}.tiff", width, height, boxes))
    return Pixels(images, fields, [0.25] * len(sizes), rois)


def config(*overrides: str):
    base = ["sampling.patch_size=64", "sampling.patches_per_roi=7", "train.batch_size=4", "train.workers=0"]
    return load_config(None, [*base, *overrides])


def everything(batches) -> list[tuple[Location, int, bytes, list, list]]:
    """All that batches hold, patch by patch."""
    return [
        (spot, index, image.numpy().tobytes(), target["boxes"].tolist(), target["ignore"].tolist())
        for batch in batches
        for spot, index, image, target in zip(batch.locations, batch.indices, batch.images, batch.targets, strict=True)
    ]


def test_a_patch_holds_the_pixels_of_its_place():
    batch = cut_batch(pixels_of((200, 150), (100, 100)), [Location(1, 17, 30, 0)], [0], config().sampling)
    assert batch.images.shape == (1, 64, 64, 3)
    assert batch.images[0, 5, 9].tolist() == [17 + 9, 30 + 5, 1]
    assert batch.targets[0]["boxes"].tolist() == [[3, 0, 53, 50]]


@pytest.mark.parametrize(("x", "y"), [(-10, -20), (90, 80), (-200, 0), (0, 400)])
def test_beyond_the_image_is_white(x, y):
    image = pixels_of((100, 90)).images[0]
    out = np.zeros((64, 64, 3), np.uint8)
    cut(image, x, y, 64, out)
    for row in range(0, 64, 7):
        for column in range(0, 64, 7):
            inside = 0 <= x + column < 100 and 0 <= y + row < 90
            expected = image[y + row, x + column].tolist() if inside else [255] * 3
            assert out[row, column].tolist() == expected


def test_the_same_batches_for_0_1_and_4_threads():
    pixels = pixels_of((200, 150), (100, 100), (40, 300))
    first = everything(training_batches(pixels, config(), 3))
    assert len(first) == 21
    for workers in (1, 4):
        assert everything(training_batches(pixels, config(f"train.workers={workers}"), 3)) == first


def test_two_ranks_together_take_what_one_takes():
    pixels = pixels_of((200, 150), (100, 100), (90, 300), (80, 80))
    alone = everything(training_batches(pixels, config("train.batch_size=8"), 1))
    ranks = [list(training_batches(pixels, config(), 1, rank=rank, world=2)) for rank in (0, 1)]
    assert len(ranks[0]) == len(ranks[1]) == batches_per_epoch(pixels, config(), world=2)
    assert sorted(everything(ranks[0] + ranks[1]), key=lambda each: each[1]) == alone


def test_an_epoch_goes_on_in_its_middle():
    pixels = pixels_of((200, 150), (100, 100))
    whole = everything(training_batches(pixels, config(), 0))
    assert everything(training_batches(pixels, config(), 0, start=2)) == whole[8:]
    assert everything(training_batches(pixels, config(), 0, start=4)) == []


def test_a_rank_without_a_patch_left_repeats_one():
    assert rank_indices(9, 4, 1, 0, 2) == [8]
    assert rank_indices(9, 4, 1, 1, 2) == [8]
    assert rank_indices(10, 4, 2, 0, 1) == [8, 9]


def test_a_reader_that_stops_early_leaves_no_thread_behind():
    batches = training_batches(pixels_of((200, 150)), config("train.workers=4"), 0)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    import threading

    assert not [thread for thread in threading.enumerate() if "ThreadPoolExecutor" in thread.name]


def test_validation_batches_are_the_same_each_time():
    pixels = pixels_of((200, 150), (100, 100))
    first = everything(validation_batches(pixels, config()))
    assert len(first) == 14
    assert everything(validation_batches(pixels, config("train.workers=3"))) == first


@pytest.mark.parametrize("residency", ["memory", "disk", "device"])
def test_every_residency_gives_the_same_batches(phantom, tmp_path, monkeypatch, residency):
    monkeypatch.setenv("MIDOG_CACHE", str(tmp_path))
    rois = [roi for roi in read_rois(phantom) if roi.split == "train"]
    settings = config(f"train.residency={residency}")
    pixels = load_pixels(rois, settings, torch.device("cpu"))
    with open_image(rois[0].path) as image:
        assert np.array_equal(np.asarray(pixels.images[0]), image.read(0, 0, image.width, image.height))
    plain = load_pixels(rois, config("train.residency=memory", "data.cache=false"), torch.device("cpu"))
    assert everything(training_batches(pixels, settings, 0)) == everything(training_batches(plain, settings, 0))


def test_auto_keeps_rois_on_disk_with_a_cache_and_in_memory_without(phantom):
    rois = read_rois(phantom)
    assert resolve_residency(rois, config(), torch.device("cpu")) == "disk"
    assert resolve_residency(rois, config("data.cache=false"), None) == "memory"


def test_auto_uses_a_device_with_twice_the_room_and_never_for_rois_of_unknown_size(phantom, monkeypatch):
    rois = read_rois(phantom)
    need, cuda = sum(3 * roi.width * roi.height for roi in rois), torch.device("cuda")
    for free, where in ((2 * need + 1, "device"), (2 * need, "disk")):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, free))
        assert resolve_residency(rois, config(), cuda) == where
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10**15, 10**15))
    assert resolve_residency([*rois, replace(rois[0], width=None)], config(), cuda) == "disk"


def test_a_roi_of_another_mpp_is_resampled_and_its_boxes_with_it(phantom):
    roi = next(roi for roi in read_rois(phantom) if roi.split == "train" and len(roi.boxes))
    pixels = load_pixels([replace(roi, mpp=0.5)], config("data.cache=false"))
    assert pixels.images[0].shape == (512, 512, 3)
    assert pixels.fields[0].boxes.xyxy.tolist() == (roi.boxes.xyxy * 2).tolist()
    assert pixels.mpp == [0.25]
    near = load_pixels([replace(roi, mpp=0.2456)], config("data.cache=false"))
    assert near.images[0].shape == (256, 256, 3)
    assert near.mpp == [0.2456]


def test_a_size_that_is_not_the_annotated_one_is_an_error(phantom):
    roi = read_rois(phantom)[0]
    with pytest.raises(DataError, match="is 256x256 px, its annotation says 300x256"):
        load_pixels([replace(roi, width=300)], config("data.cache=false"))


def test_a_missing_image_and_a_missing_mpp_are_errors(phantom, tmp_path):
    from PIL import Image

    roi = read_rois(phantom)[0]
    with pytest.raises(DataError, match=f"{roi.file_name}: its image is missing"):
        load_pixels([replace(roi, path=None)], config())
    Image.new("RGB", (256, 256)).save(tmp_path / "plain.png")
    with pytest.raises(ImageError, match="no mpp is known; add a column"):
        load_pixels([replace(roi, path=tmp_path / "plain.png", mpp=None)], config("data.cache=false"))
