"""ROIs: decoded once to the model's mpp, cut on white, augmented where it is requested."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import tifffile
import torch

from midog.data.folder import read_rois
from midog.errors import DataError, ImageError
from midog.images.image import open_image
from midog.loading.cutting import cut_patch
from midog.loading.rois import augments_on_cpu
from midog.training.tasks.detection import prepare
from tests.loading.small import config, decoded, everything, rois_of, training


def test_targets_are_turned_as_the_patches_are_to_be():
    rois = rois_of((200, 150), (100, 100))
    for image in rois.images:
        image[:] = 255
        image[30:80, 20:70] = 0
    for where in ("cpu", "device"):
        settings = config(f"machine.augment_on={where}", "sampling.min_visible=0.01")
        seen = 0
        for batch in training(rois, settings).batches(0):
            images, targets = prepare(batch, torch.device("cpu"))
            for image, boxes in zip(images, targets["boxes"], strict=True):
                dark = image.amax(dim=0) < 0.3
                (x1, y1, x2, y2), seen = boxes[0].int().tolist(), seen + int(boxes[0].any())
                assert dark[y1:y2, x1:x2].float().mean() > 0.8 or not boxes[0].any()
                assert dark.sum() <= (x2 - x1) * (y2 - y1) + 300
        assert seen >= 5


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
    assert augments_on_cpu(rois_of((100, 100)), wanted, device) == cpu


def test_opencv_has_its_threads_back_after_an_epoch():
    before = cv2.getNumThreads()
    batches = training(rois_of((200, 150)), config()).batches(0)
    next(batches)
    assert cv2.getNumThreads() == 1
    list(batches)
    assert cv2.getNumThreads() == before


@pytest.mark.parametrize(("x", "y"), [(-10, -20), (90, 80), (-200, 0), (0, 400)])
def test_beyond_the_image_is_white(x, y):
    image = rois_of((100, 90)).images[0]
    out = np.zeros((64, 64, 3), np.uint8)
    cut_patch(image, x, y, 64, out)
    for row in range(0, 64, 7):
        for column in range(0, 64, 7):
            inside = 0 <= x + column < 100 and 0 <= y + row < 90
            expected = image[y + row, x + column].tolist() if inside else [255] * 3
            assert out[row, column].tolist() == expected


@pytest.mark.parametrize("residency", ["memory", "disk", "device"])
def test_every_residency_gives_the_same_batches(phantom, tmp_path, monkeypatch, residency):
    monkeypatch.setenv("MIDOG_CACHE", str(tmp_path))
    rois = [roi for roi in read_rois(phantom) if roi.split == "train"]
    settings = config(f"machine.residency={residency}", "machine.augment_on=device")
    placed = decoded(rois, settings, torch.device("cpu"))
    with open_image(rois[0].path) as image:
        assert np.array_equal(
            np.asarray(placed.images[0]), image.read(0, 0, image.width, image.height)
        )
    plain = decoded(
        rois, config("machine.residency=memory", "data.cache=false"), torch.device("cpu")
    )
    assert everything(training(placed, settings).batches(0)) == everything(
        training(plain, settings).batches(0)
    )


def test_a_roi_of_another_mpp_is_resampled_and_its_boxes_with_it(phantom):
    roi = next(roi for roi in read_rois(phantom) if roi.split == "train" and len(roi.boxes))
    rois = decoded([replace(roi, mpp=0.5)], config("data.cache=false"))
    assert rois.images[0].shape == (512, 512, 3)
    assert rois.sampled[0].boxes.xyxy.tolist() == (roi.boxes.xyxy * 2).tolist()
    assert rois.mpp == [(0.25, 0.25)]
    near = decoded([replace(roi, mpp=0.2456)], config("data.cache=false"))
    assert near.images[0].shape == (256, 256, 3)
    assert near.mpp == [(0.2456, 0.2456)]


def test_a_roi_of_unequal_px_is_resampled_by_axis_and_its_boxes_with_it(phantom, tmp_path):
    roi = next(roi for roi in read_rois(phantom) if roi.split == "train" and len(roi.boxes))
    with open_image(roi.path) as image:
        pixels = image.read(0, 0, 256, 256)
    cm = {"resolution": (1e4 / 0.25, 1e4 / 0.5), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(tmp_path / "a.tiff", pixels, photometric="rgb", **cm)
    own = replace(roi, path=tmp_path / "a.tiff", mpp=None)
    for cache in ("true", "false"):
        rois = decoded([own], config(f"data.cache={cache}"))
        assert rois.images[0].shape == (512, 256, 3)
        assert rois.sampled[0].boxes.xyxy.tolist() == (roi.boxes.xyxy * [1, 2, 1, 2]).tolist()
        assert rois.mpp == [(0.25, 0.25)]


def test_a_size_that_is_not_the_annotated_one_is_an_error(phantom):
    roi = read_rois(phantom)[0]
    with pytest.raises(DataError, match="is 256x256 px, its annotation says 300x256"):
        decoded([replace(roi, width=300)], config("data.cache=false"))


def test_a_missing_image_and_a_missing_mpp_are_errors(phantom, tmp_path):
    from PIL import Image

    roi = read_rois(phantom)[0]
    with pytest.raises(DataError, match=f"{roi.file_name}: its image is missing"):
        decoded([replace(roi, path=None)], config())
    Image.new("RGB", (256, 256)).save(tmp_path / "plain.png")
    with pytest.raises(ImageError, match=r"mpp .* is unknown; .* a column `mpp` in the split"):
        decoded([replace(roi, path=tmp_path / "plain.png", mpp=None)], config("data.cache=false"))
