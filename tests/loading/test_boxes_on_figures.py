"""Every op of OPS, through the loader: boxes stay on their figures to the pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from midog.augment.ops import OPS
from midog.boxes import Boxes
from midog.data.roi import Roi
from midog.loading.locations import SampledRoi
from midog.loading.rois import DecodedRois
from tests.augment.both_forms import usual
from tests.loading.small import config, training
from tests.stained import USUAL, painted

SIDE, FIGURE = 128, (18, 12)
COUNT = 40  # draws


def tissue_with_marks(seed: int, scanner: str) -> tuple[np.ndarray, SampledRoi, Roi]:
    """Blurred tissue with dark marks: figures, a look-alike, and a box to ignore without one."""
    image = painted(USUAL, patches=1, side=320, seed=seed)[0]
    image = cv2.GaussianBlur(image, (0, 0), 3)
    image = cv2.addWeighted(image, 0.3, image, 0, 150)
    boxes = []
    for x, y in ((40, 50), (150, 60), (240, 200), (90, 230), (160, 160)):
        boxes.append([x, y, x + FIGURE[0], y + FIGURE[1]])
        image[y : y + FIGURE[1], x : x + FIGURE[0]] = (70, 40, 110)
    marked = Boxes(boxes, [1, 1, 1, 1, 2])
    ignored = np.array([[250, 40, 290, 90]], np.float32)
    sampled = SampledRoi(320, 320, marked, scanner, ignored)
    return image, sampled, Roi(f"{seed}.tiff", 320, 320, marked, scanner=scanner, ignored=ignored)


@pytest.fixture(scope="module")
def rois() -> DecodedRois:
    images, sampled, plain = zip(
        *(tissue_with_marks(seed, scanner) for seed, scanner in ((1, "A"), (2, "B"))), strict=True
    )
    return DecodedRois(list(images), list(sampled), [0.25, 0.25], list(plain))


def settings_of(name: str, where: str) -> list[str]:
    setting = usual(name)
    written = setting.model_dump() if hasattr(setting, "model_dump") else setting
    off = [f"augment.{other}=0" for other in ("stain", "brightness", "blur") if other != name]
    off += [] if name == "flip" else ["augment.flip=false"]
    chosen = str(written).replace("'", "").replace("True", "true")
    sampling = [f"sampling.patch_size={SIDE}", f"sampling.patches_per_roi={COUNT // 2}"]
    return [*off, *sampling, f"augment.{name}={chosen}", f"machine.augment_on={where}"]


def patches_of(rois: DecodedRois, overrides: list[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Patches (S, S, 3) float in grey levels as the network sees them, with their boxes."""
    from midog.augment.on_device import augment

    seen = []
    for batch in training(rois, config(*overrides)).batches(0):
        images = batch.images.numpy().astype(float)
        if batch.augmentation is not None:
            light = augment(batch.images, batch.augmentation)
            images = 255 * light.permute(0, 2, 3, 1).numpy()
        for image, boxes in zip(images, batch.targets["boxes"].numpy(), strict=True):
            seen.append((image.copy(), boxes[boxes.any(1)]))
    return seen


def mark_in(image: np.ndarray, box: np.ndarray) -> np.ndarray | None:
    """x1 y1 x2 y2 of the dark mark at a box, by its mass; None where it reaches the edge."""
    x1, y1, x2, y2 = (round(value) for value in box.tolist())
    left, top, right, bottom = x1 - 6, y1 - 6, x2 + 6, y2 + 6
    if min(left, top) < 0 or max(right, bottom) > SIDE:
        return None
    dark = image[top:bottom, left:right].mean(axis=2)
    rim = np.concatenate([dark[:2].ravel(), dark[-2:].ravel(), dark[:, :2].ravel()])
    dark = (np.median(rim) - dark).clip(min=0)
    dark[dark < 0.4 * np.quantile(dark, 0.9)] = 0
    down, across = dark.sum(axis=1), dark.sum(axis=0)
    sides = []
    for mass, start in ((across, left), (down, top)):
        places = start + np.arange(len(mass)) + 0.5
        centre = (mass * places).sum() / mass.sum()
        extent = np.sqrt(12 * (mass * (places - centre) ** 2).sum() / mass.sum() + 1)
        sides.append((centre - extent / 2, centre + extent / 2))
    return np.array([sides[0][0], sides[1][0], sides[0][1], sides[1][1]])


@pytest.mark.parametrize("where", ["cpu", "device"])
@pytest.mark.parametrize("name", OPS)
def test_boxes_stay_on_their_figures(rois, name, where):
    marks = 0
    for image, boxes in patches_of(rois, settings_of(name, where)):
        assert image.shape == (SIDE, SIDE, 3)
        for box in boxes:
            mark = mark_in(image, box)
            if mark is not None:
                marks += 1
                assert np.abs(mark - box).max() < 1.5, "an edge, measured by its mass"
                centre = np.abs((mark[:2] + mark[2:] - box[:2] - box[2:]) / 2)
                assert centre.max() < 0.75, (mark, box)
    assert marks > 10


@pytest.mark.parametrize("where", ["cpu", "device"])
@pytest.mark.parametrize("name", OPS)
def test_any_number_of_workers_makes_the_same_patches(rois, name, where):
    chosen = settings_of(name, where)
    one, several = (patches_of(rois, [*chosen, f"machine.workers={workers}"]) for workers in (0, 3))
    for (image, boxes), (other, moved) in zip(one, several, strict=True):
        assert np.array_equal(image, other)
        assert np.array_equal(boxes, moved)


def boxes_by_place(rois: DecodedRois, overrides: list[str]) -> list[tuple[object, np.ndarray]]:
    loader = training(rois, config(*overrides))
    return [
        (place, boxes[boxes.any(1)])
        for step, batch in enumerate(loader.batches(0))
        for place, boxes in zip(
            loader.locations(0, step), batch.targets["boxes"].numpy(), strict=True
        )
    ]


def test_a_figure_is_pasted_over_no_box_and_stays_in_its_patch(rois):
    with_pasted = boxes_by_place(rois, settings_of("copy_paste", "cpu"))
    without = boxes_by_place(rois, [*settings_of("copy_paste", "cpu"), "augment.copy_paste=0"])
    added = 0
    for (place, boxes), (same, before) in zip(with_pasted, without, strict=True):
        assert place == same
        roi = rois.sampled[place.roi]
        every = np.concatenate([roi.boxes.xyxy, roi.ignored]) - [place.x, place.y] * 2
        new = [box for box in boxes if not (before == box).all(1).any()]
        assert len(boxes) == len(before) + len(new)
        added += len(new)
        for box in new:
            assert box.min() >= 0
            assert box.max() <= SIDE
            apart = (box[:2] >= every[:, 2:]).any(1) | (box[2:] <= every[:, :2]).any(1)
            assert apart.all(), "neither a figure, nor a look-alike, nor a box to ignore"
    assert added > COUNT / 2


def test_a_requested_figure_is_whole_in_its_window(rois):
    chosen = [*settings_of("mpp", "cpu"), "augment.mpp=0.5", "sampling.p_mitotic=1"]
    chosen.append("sampling.p_imposter=0")
    windows = set()
    for place, boxes in boxes_by_place(rois, chosen):
        windows.add(place.window)
        sizes = (boxes[:, 2:] - boxes[:, :2]) * place.window / SIDE
        assert (np.abs(sizes - FIGURE) < 1e-3).all(axis=1).any()
    assert min(windows) < 100
    assert max(windows) > 160


def test_windows_anywhere_lie_in_their_roi(rois):
    chosen = [*settings_of("mpp", "cpu"), "augment.mpp=0.5", "sampling.p_mitotic=0"]
    chosen.append("sampling.p_imposter=0")
    ends = [max(place.x, place.y) + place.window for place, _ in boxes_by_place(rois, chosen)]
    assert max(ends) <= 320
    assert max(ends) > 300
