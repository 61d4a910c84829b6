"""Box targets: those of a batch are those of its patches, one patch and one box at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from midog.augment.flip import turn_boxes
from midog.boxes import IMPOSTER, MITOTIC_FIGURE, Boxes, squares_around
from midog.config.schema import SamplingSettings
from midog.loading.box_targets import batch_targets, target_figures
from midog.loading.locations import Location, SampledRoi
from midog.models.losses import BACKGROUND, NO_PART, match_anchors
from midog.models.protocol import ROWS


def targets_at(boxes: Boxes, config: SamplingSettings, x: int = 0, y: int = 0):
    """Labelled and ignored boxes of one patch, without the padding."""
    rois = [SampledRoi(1000, 1000, boxes)]
    found = batch_targets(target_figures(rois, config), [Location(0, x, y, 0)], config)
    here = found["labels"][0] > 0
    ignored = found["ignore"][0].any(dim=1)
    return (
        found["boxes"][0][here].tolist(),
        found["labels"][0][here].tolist(),
        found["ignore"][0][ignored].tolist(),
    )


def moves(turns: np.ndarray):
    """What `batch_targets` is given to move boxes by."""
    return lambda boxes, patch, side: turn_boxes(boxes, turns[patch], side)


def turned(box: list[np.float32], turn: int, side: int) -> list[np.float32]:
    """One box, a step at a time."""
    x1, y1, x2, y2 = box
    if turn >= 4:
        x1, x2 = side - x2, side - x1
    for _ in range(turn % 4):
        x1, y1, x2, y2 = y1, side - x2, y2, side - x1
    return [x1, y1, x2, y2]


def plain(field: SampledRoi, place: Location, turn: int, config: SamplingSettings):
    """Boxes, labels and ignored boxes of one patch, box by box."""
    side, boxes, labels, ignore = config.patch_size, [], [], []
    for box, label in zip(field.boxes.xyxy, field.boxes.labels.tolist(), strict=True):
        if label == IMPOSTER and config.imposters != "second_class":
            continue
        moved = box - np.array([place.x, place.y, place.x, place.y], np.float32)
        cut = moved.clip(0, side)
        whole = np.maximum((moved[2] - moved[0]) * (moved[3] - moved[1]), np.finfo(np.float32).tiny)
        visible = (cut[2] - cut[0]) * (cut[3] - cut[1]) / whole
        if visible >= config.min_visible:
            boxes.append(turned(list(cut), turn, side))
            labels.append(label)
        elif visible > 0:
            ignore.append(turned(list(moved), turn, side))
    return boxes, labels, ignore


def test_imposters_are_labelled_only_as_second_class():
    boxes = Boxes(squares_around([[100, 100], [200, 200]]), np.array([MITOTIC_FIGURE, IMPOSTER]))
    spared = boxes.xyxy[1:].tolist()
    for policy, labels, expected in (
        ("leave_out", [1], []),
        ("ignore", [1], spared),
        ("hard_negative", [1], []),
        ("second_class", [1, 2], []),
    ):
        _, found, ignored = targets_at(boxes, SamplingSettings(patch_size=512, imposters=policy))
        assert found == labels
        assert ignored == expected


def test_ignored_imposters_have_no_part_in_the_loss_and_left_out_ones_are_background() -> None:
    rois = [SampledRoi(128, 128, Boxes([[10, 10, 60, 60], [50, 10, 100, 60]], [1, IMPOSTER]))]
    anchors = torch.tensor([[10.0, 10, 60, 60], [52, 10, 102, 60], [90, 90, 126, 126]])
    expected = {
        "ignore": [0, NO_PART, BACKGROUND],
        "leave_out": [0, BACKGROUND, BACKGROUND],
        "hard_negative": [0, BACKGROUND, BACKGROUND],
    }
    for policy, matches in expected.items():
        config = SamplingSettings(patch_size=128, imposters=policy)
        targets = batch_targets(target_figures(rois, config), [Location(0, 0, 0, 0)], config)
        assert match_anchors(anchors, targets).tolist() == [matches], policy


def test_boxes_are_clipped_kept_or_ignored_by_what_is_visible():
    boxes = Boxes(
        [[90, 90, 140, 140], [-30, 40, 20, 90], [-40, 40, 10, 90], [300, 300, 350, 350]],
        [1, 1, 1, 1],
    )
    kept, _, ignored = targets_at(boxes, SamplingSettings(patch_size=128, min_visible=0.3))
    # 38/50 squared is 0.58; 20/50 is 0.4; 10/50 is 0.2; the last is out of sight
    assert kept == [[90, 90, 128, 128], [0, 40, 20, 90]]
    assert ignored == [[-40, 40, 10, 90]]


@given(seed=st.integers(0, 2**32), policy=st.sampled_from(["hard_negative", "second_class"]))
def test_targets_of_a_batch_are_those_of_its_patches_one_by_one(seed, policy):
    rng = np.random.default_rng(seed)
    config = SamplingSettings(
        patch_size=128, imposters=policy, min_visible=float(rng.uniform(0.05, 1))
    )
    rois = []
    for count in (0, 5, 60):
        boxes = squares_around(rng.uniform(-20, 320, (count, 2)), side=float(rng.uniform(0, 60)))
        rois.append(SampledRoi(300, 300, Boxes(boxes, rng.integers(1, 3, count))))
    places = [
        Location(int(roi), int(x), int(y), 0)
        for roi, x, y in rng.integers((0, -40, -40), (3, 300, 300), (9, 3))
    ]
    turns = rng.integers(0, 8, 9)
    found = batch_targets(target_figures(rois, config), places, config, moves(turns))
    each = [plain(rois[s.roi], s, t, config) for s, t in zip(places, turns.tolist(), strict=True)]
    for number, (key, dtype) in enumerate(
        {"boxes": torch.float32, "labels": torch.int64, "ignore": torch.float32}.items()
    ):
        rows, most = found[key], max(len(one[number]) for one in each)
        assert rows.dtype == dtype
        assert rows.shape[1] == max(ROWS, -(-most // ROWS) * ROWS)
        for row, one in zip(rows.numpy(), each, strict=True):
            expected = np.zeros_like(row)
            expected[: len(one[number])] = np.array(one[number]).reshape(-1, *row.shape[1:])
            np.testing.assert_array_equal(row, expected)


@pytest.mark.parametrize(
    "rois",
    [[SampledRoi(100, 100, Boxes())], [SampledRoi(100, 100, Boxes([[1, 1, 9, 9]], [IMPOSTER]))]],
)
def test_a_batch_without_figures_is_padding_alone(rois):
    config = SamplingSettings(patch_size=64)
    found = batch_targets(target_figures(rois, config), [Location(0, 0, 0, 0)] * 2, config)
    assert found["boxes"].shape == found["ignore"].shape == (2, ROWS, 4)
    assert found["labels"].shape == (2, ROWS)
    assert not any(found[key].any() for key in ("boxes", "labels", "ignore"))


def test_boxes_to_ignore_are_neither_targets_nor_background() -> None:
    config = SamplingSettings(patch_size=128)
    boxes = Boxes([[20, 20, 70, 70]], [MITOTIC_FIGURE])
    ignored = np.array([[60, 60, 160, 160], [300, 300, 400, 400]], np.float32)
    rois = [SampledRoi(1000, 1000, boxes, "A", ignored), SampledRoi(1000, 1000, boxes)]
    places = [Location(0, 0, 0, 0), Location(1, 0, 0, 0), Location(0, 290, 290, 0)]
    targets = batch_targets(target_figures(rois, config), places, config)
    assert [int((labels > 0).sum()) for labels in targets["labels"]] == [1, 1, 0]
    assert targets["boxes"][0][0].tolist() == [20, 20, 70, 70]
    shown = [[box for box in of_patch.tolist() if any(box)] for of_patch in targets["ignore"]]
    assert shown == [[[60, 60, 160, 160]], [], [[10, 10, 110, 110]]]


def test_an_anchor_in_a_box_to_ignore_has_no_part_in_the_loss() -> None:
    config = SamplingSettings(patch_size=128)
    ignored = np.array([[10, 10, 110, 110]], np.float32)
    rois = [SampledRoi(128, 128, Boxes(), "A", ignored)]
    targets = batch_targets(target_figures(rois, config), [Location(0, 0, 0, 0)], config)
    anchors = torch.tensor([[40.0, 40, 80, 80], [110, 110, 126, 126]])
    assert match_anchors(anchors, targets).tolist() == [[NO_PART, BACKGROUND]]


def test_figures_that_an_augmentation_takes_out_of_the_patch_are_clipped_or_ignored():
    config = SamplingSettings(patch_size=128, min_visible=0.4)
    boxes = [[10, 10, 60, 60], [70, 10, 120, 60], [40, 70, 90, 120]]
    rois = [SampledRoi(1000, 1000, Boxes(boxes, [1, 1, 1]))] * 2

    def shifted(boxes, patch, side):
        across = np.array([0, 30], np.float32)[patch]
        return boxes + np.stack([across, 0 * across, across, 0 * across], axis=1)

    places = [Location(0, 0, 0, 0), Location(1, 0, 0, 0)]
    both = batch_targets(target_figures(rois, config), places, config, shifted)
    assert both["boxes"][0][:3].tolist() == boxes
    assert not both["ignore"][0].any()
    # of the second figure 28 of 50 columns are left
    assert both["boxes"][1][:3].tolist() == [
        [40, 10, 90, 60],
        [100, 10, 128, 60],
        [70, 70, 120, 120],
    ]
    strict = SamplingSettings(patch_size=128, min_visible=0.6)
    both = batch_targets(target_figures(rois, strict), places, strict, shifted)
    assert both["labels"].sum(dim=1).tolist() == [3, 2]
    assert both["boxes"][1][:2].tolist() == [[40, 10, 90, 60], [70, 70, 120, 120]]
    assert both["ignore"][1][:1].tolist() == [[100, 10, 150, 60]]
    assert not both["ignore"][0].any()
