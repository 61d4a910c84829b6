"""Batches: the right pixels and targets, the same ones for any number of threads and ranks."""

from __future__ import annotations

import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from midog.boxes import Boxes
from midog.config.load import load_config
from midog.data.folder import read_rois
from midog.data.roi import Roi
from midog.errors import DataError, ImageError
from midog.images.image import open_image
from midog.loading.batches import (
    Pixels,
    augments_on_cpu,
    batches_per_epoch,
    cut,
    load_pixels,
    rank_indices,
    training_batches,
    validation_batches,
)
from midog.loading.locations import Field, locations
from midog.training.tasks.detection import prepare


def pixels_of(*sizes: tuple[int, int]) -> Pixels:
    """ROIs whose pixels say where they are: red = x, green = y, blue = number."""
    images, fields, rois = [], [], []
    for number, (width, height) in enumerate(sizes):
        y, x = np.mgrid[:height, :width]
        images.append(
            np.stack([x % 256, y % 256, np.full_like(x, number)], axis=-1).astype(np.uint8)
        )
        boxes = Boxes([[20, 30, 70, 80]], [1])
        fields.append(Field(width, height, boxes, "A"))
        rois.append(Roi(f"{number}.tiff", width, height, boxes))
    return Pixels(images, fields, [0.25] * len(sizes), rois)


def config(*overrides: str):
    base = [
        "sampling.patch_size=64",
        "sampling.patches_per_roi=7",
        "train.batch_size=4",
        "machine.workers=0",
    ]
    return load_config(None, [*base, *overrides])


def everything(batches) -> list[tuple[int, bytes, list, list, list]]:
    """All that batches hold, patch by patch, taken while each is valid."""
    return [
        (
            index,
            images.numpy().tobytes(),
            boxes[boxes.any(1)].tolist(),
            labels.tolist()[:1],
            ignore.any(1).tolist(),
        )
        for batch in batches
        for index, images, boxes, labels, ignore in zip(
            batch.indices, batch.images, *batch.targets.values(), strict=True
        )
    ]


def test_a_patch_holds_the_pixels_of_its_place():
    pixels, settings = (
        pixels_of((200, 150), (100, 100)),
        config("machine.augment_on=device", "train.batch_size=1"),
    )
    spots = locations(pixels.fields, settings.sampling, 0, 3, range(14))
    for spot, batch in zip(spots, training_batches(pixels, settings, 3), strict=True):
        assert len(batch) == 1
        assert batch.images.shape == (1, 64, 64, 3)
        assert batch.images[0, 5, 9].tolist() == [spot.x + 9, spot.y + 5, spot.roi]


def test_targets_are_turned_as_the_patches_are_to_be():
    pixels = pixels_of((200, 150), (100, 100))
    for image in pixels.images:
        image[:] = 255
        image[30:80, 20:70] = 0
    for where in ("cpu", "device"):
        settings = config(f"machine.augment_on={where}", "sampling.min_visible=0.01")
        seen = 0
        for batch in training_batches(pixels, settings, 0):
            images, targets = prepare(batch, torch.device("cpu"))
            for image, boxes in zip(images, targets["boxes"], strict=True):
                dark = image.amax(dim=0) < 0.3
                (x1, y1, x2, y2), seen = boxes[0].int().tolist(), seen + int(boxes[0].any())
                assert dark[y1:y2, x1:x2].float().mean() > 0.8 or not boxes[0].any()
                assert dark.sum() <= (x2 - x1) * (y2 - y1) + 300
        assert seen >= 5


@pytest.mark.parametrize("workers", [0, 1, 2, 4])
@pytest.mark.parametrize("where", ["cpu", "device"])
def test_a_batch_keeps_its_bytes_until_the_next_is_asked_for(workers, where):
    """Threads get all the time they want to write into a slot that is not theirs yet."""
    pixels = pixels_of((200, 150), (100, 100), (40, 300))
    settings = config(
        f"machine.workers={workers}", f"machine.augment_on={where}", "sampling.patches_per_roi=20"
    )
    for epoch in (0, 1):
        for batch in training_batches(pixels, settings, epoch):
            first = batch.images.numpy().tobytes()
            time.sleep(0.002)
            assert batch.images.numpy().tobytes() == first


def test_the_memory_of_batches_is_used_again_by_the_next_batches_and_the_next_epoch():
    pixels, settings = (
        pixels_of((200, 150)),
        config("machine.workers=1", "sampling.patches_per_roi=40"),
    )
    places = [
        {batch.images.data_ptr() for batch in training_batches(pixels, settings, epoch)}
        for epoch in (0, 1)
    ]
    assert len(places[0]) == 3
    assert places[0] == places[1]


def test_who_stops_early_keeps_the_last_batch():
    pixels, settings = pixels_of((200, 150)), config("machine.workers=2")
    kept = next(iter(training_batches(pixels, settings, 0)))
    first = kept.images.numpy().tobytes()
    for _ in training_batches(pixels, settings, 1):
        pass
    assert kept.images.numpy().tobytes() == first


def test_two_readers_at_once_do_not_share_memory():
    pixels, settings = pixels_of((200, 150)), config("machine.workers=1")
    for _ in training_batches(pixels, settings, 0):
        pass
    for one, other in zip(
        training_batches(pixels, settings, 1), training_batches(pixels, settings, 2), strict=True
    ):
        assert one.images.data_ptr() != other.images.data_ptr()


@pytest.mark.parametrize(
    ("wanted", "device", "cpu"),
    [
        ("auto", None, True),
        ("auto", "cpu", True),
        ("auto", "cuda", False),
        ("device", "cpu", False),
        ("cpu", "cuda", True),
    ],
)
def test_where_patches_are_augmented(wanted, device, cpu):
    device = device and torch.device(device)
    assert (
        augments_on_cpu(pixels_of((100, 100)), config(f"machine.augment_on={wanted}"), device)
        == cpu
    )


def test_opencv_has_its_threads_back_after_an_epoch():
    before = cv2.getNumThreads()
    batches = training_batches(pixels_of((200, 150)), config(), 0)
    next(batches)
    assert cv2.getNumThreads() == 1
    list(batches)
    assert cv2.getNumThreads() == before


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
        assert (
            everything(training_batches(pixels, config(f"machine.workers={workers}"), 3)) == first
        )


def test_two_ranks_together_take_what_one_takes():
    pixels = pixels_of((200, 150), (100, 100), (90, 300), (80, 80))
    alone = everything(training_batches(pixels, config("train.batch_size=8"), 1))
    ranks = [
        everything(training_batches(pixels, config(), 1, rank=rank, world=2)) for rank in (0, 1)
    ]
    assert len(ranks[0]) == len(ranks[1]) == 4 * batches_per_epoch(pixels, config(), world=2) - 2
    assert sorted(ranks[0] + ranks[1]) == alone


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
    batches = training_batches(pixels_of((200, 150)), config("machine.workers=4"), 0)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    import threading

    assert not [thread for thread in threading.enumerate() if "ThreadPoolExecutor" in thread.name]


def test_validation_batches_are_the_same_each_time():
    pixels = pixels_of((200, 150), (100, 100))
    first = everything(validation_batches(pixels, config()))
    assert len(first) == 14
    assert everything(validation_batches(pixels, config("machine.workers=3"))) == first


@pytest.mark.parametrize("residency", ["memory", "disk", "device"])
def test_every_residency_gives_the_same_batches(phantom, tmp_path, monkeypatch, residency):
    monkeypatch.setenv("MIDOG_CACHE", str(tmp_path))
    rois = [roi for roi in read_rois(phantom) if roi.split == "train"]
    settings = config(f"machine.residency={residency}", "machine.augment_on=device")
    pixels = load_pixels(rois, settings, torch.device("cpu"))
    with open_image(rois[0].path) as image:
        assert np.array_equal(
            np.asarray(pixels.images[0]), image.read(0, 0, image.width, image.height)
        )
    plain = load_pixels(
        rois, config("machine.residency=memory", "data.cache=false"), torch.device("cpu")
    )
    assert everything(training_batches(pixels, settings, 0)) == everything(
        training_batches(plain, settings, 0)
    )


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
        load_pixels(
            [replace(roi, path=tmp_path / "plain.png", mpp=None)], config("data.cache=false")
        )
