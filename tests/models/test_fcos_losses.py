"""FCOS's losses are torchvision's in every corner; ignored boxes and padding teach nothing."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torchvision.models.detection.fcos import FCOS as TorchvisionFCOS
from torchvision.models.detection.fcos import FCOSHead

from midog.models.fcos_losses import centerness, fcos_losses, match_places
from midog.models.losses import BACKGROUND, NO_PART
from midog.models.protocol import BoxTargets, pad_targets
from tests.models.test_losses import batch_of, batches, longer, target

HEAD = FCOSHead(32, 1, 3, 1)


def grid(strides: tuple[int, ...] = (8, 16)) -> list[Tensor]:
    """Squares about the places of an image of 96 px."""
    levels = []
    for stride in strides:
        corners = torch.cartesian_prod(*[torch.arange(0, 96, stride).float()] * 2)
        levels.append(torch.cat([corners - stride / 2, corners + stride / 2], dim=1))
    return levels


def outputs_for(levels: list[Tensor], images: int) -> dict[str, Tensor]:
    places = sum(len(level) for level in levels)
    return {
        "cls_logits": torch.randn(images, places, 3).requires_grad_(),
        "bbox_regression": (4 * torch.rand(images, places, 4)).requires_grad_(),
        "bbox_ctrness": torch.randn(images, places, 1).requires_grad_(),
    }


def theirs(levels: list[Tensor], targets: list[dict[str, Tensor]], outputs: Any) -> Any:
    """torchvision's own losses of these outputs, of boxes that have an area."""
    real = []
    for image in targets:
        boxes = image["boxes"]
        keep = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
        real.append({"boxes": boxes[keep], "labels": image["labels"][keep]})
    detector = SimpleNamespace(center_sampling_radius=1.5, head=HEAD)
    counts = [len(level) for level in levels]
    return TorchvisionFCOS.compute_loss(
        detector, real, outputs, [torch.cat(levels)] * len(real), counts
    )


@settings(max_examples=60, deadline=None)
@given(batches)
def test_losses_and_gradients_are_torchvisions_image_by_image(cases: list[Any]) -> None:
    targets = [{**image, "ignore": image["ignore"][:0]} for image in batch_of(cases)]
    levels = grid()
    torch.manual_seed(0)
    outputs = outputs_for(levels, len(cases))
    expected = theirs(levels, targets, outputs)
    wanted = torch.autograd.grad(sum(expected.values()), list(outputs.values()), allow_unused=True)
    for padded in (pad_targets(targets), longer(pad_targets(targets))):
        losses = fcos_losses(outputs, levels, padded)
        assert losses.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(losses[name], value, rtol=1e-5, atol=1e-6)
        ours = torch.autograd.grad(sum(losses.values()), list(outputs.values()))
        for mine, other in zip(ours, wanted, strict=True):
            torch.testing.assert_close(mine, torch.zeros_like(mine) if other is None else other)


def test_of_boxes_of_one_size_the_first_is_taken_and_of_others_the_smaller() -> None:
    levels = grid((8,))
    tied = match_places(levels, pad_targets([target((8, 8, 58, 58), (9, 9, 59, 59))]))[0]
    assert set(tied.tolist()) == {BACKGROUND, 0}
    nested = match_places(levels, pad_targets([target((8, 8, 58, 58), (16, 16, 48, 48))]))[0]
    assert set(nested.tolist()) == {BACKGROUND, 1}


def test_places_inside_an_ignored_box_have_no_part_unless_they_are_positive() -> None:
    levels = grid((8,))
    places = (levels[0][:, :2] + levels[0][:, 2:]) / 2
    ignore = torch.tensor([[30.0, 30, 80, 80], [0, 0, 0, 0]])
    matches = match_places(levels, pad_targets([target((8, 8, 58, 58), ignore=ignore)]))[0]
    inside = ((places >= 30) & (places <= 80)).all(dim=1)
    positive = matches == 0
    assert (positive & inside).any()
    assert torch.equal(matches == NO_PART, inside & ~positive)


def test_a_radius_takes_more_places() -> None:
    targets = pad_targets([target((8, 8, 72, 72))])
    counts = [int((match_places(grid((8,)), targets, radius) >= 0).sum()) for radius in (1, 2, 4)]
    assert counts == [1, 9, 49]


def test_centerness_is_1_in_the_middle_and_falls_to_the_sides() -> None:
    squares = torch.tensor([[28.0, 28, 36, 36], [12, 28, 20, 36], [4, 4, 12, 12]])
    box = torch.tensor([0.0, 0, 64, 64]).expand(1, 3, 4)
    expected = torch.tensor([[1, (16 / 48) ** 0.5, 8 / 56]])
    torch.testing.assert_close(centerness(squares, box), expected)


@pytest.mark.parametrize("rows", [0, 8])
def test_padding_teaches_nothing(rows: int) -> None:
    padded = BoxTargets(
        boxes=torch.zeros(2, rows, 4),
        labels=torch.zeros(2, rows, dtype=torch.int64),
        ignore=torch.zeros(2, rows, 4),
    )
    assert set(match_places(grid(), padded).unique().tolist()) == {BACKGROUND}


def test_the_device_is_asked_nothing_and_the_work_is_the_same_for_any_batch() -> None:
    counts = []
    for images in (1, 5):
        levels = grid()
        outputs = outputs_for(levels, images)
        targets = pad_targets([target((8, 8, 58, 58), (40, 40, 90, 90))] * images)
        with profile(activities=[ProfilerActivity.CPU]) as profiled:
            sum(fcos_losses(outputs, levels, targets).values()).backward()
        names = Counter(event.name for event in profiled.events())
        assert not names.keys() & {
            f"aten::{sync}" for sync in ("item", "_local_scalar_dense", "nonzero", "index")
        }
        counts.append(names)
    assert counts[0] == counts[1]
