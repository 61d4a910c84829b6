"""Losses and gradients are torchvision's, both ways, in every corner; ignored boxes and padding
teach nothing."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile
from torchvision.models.detection import RetinaNet as TorchvisionRetinaNet
from torchvision.models.detection._utils import BoxCoder, Matcher
from torchvision.ops import box_iou, generalized_box_iou_loss

from midog.models.heads import make_head
from midog.models.loss_balance import LossBalance
from midog.models.losses import (
    BACKGROUND,
    NO_PART,
    Focal,
    batched_losses,
    decode_boxes,
    giou_loss,
    match_anchors,
    match_each,
    per_image_losses,
)
from midog.models.protocol import ROWS, BoxTargets, pad_targets
from tests.models.networks import NamedMaps, retinanet

SIZES = ((24.0, 32.0), (48.0, 64.0))
BOXES = ((5.0, 5, 40, 50), (20, 20, 44, 44), (70, 3, 95, 30))
TIED = ((8.0, 8, 40, 40), (8.0, 8, 40, 40), (16, 0, 48, 32))


def target(*boxes: tuple[float, ...], label: int = 1, **extra: Tensor) -> dict[str, Tensor]:
    xyxy = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return {"boxes": xyxy, "labels": torch.full((len(boxes),), label), **extra}


def gradients(model: torch.nn.Module, losses: dict[str, Tensor]) -> dict[str, Tensor]:
    model.zero_grad()
    sum(losses.values()).backward()
    return {
        name: weights.grad.clone()
        for name, weights in model.named_parameters()
        if weights.grad is not None
    }


def longer(targets: BoxTargets) -> BoxTargets:
    """The same boxes with more padding below."""
    boxes, ignore = (F.pad(targets[name], (0, 0, 0, ROWS)) for name in ("boxes", "ignore"))
    return BoxTargets(boxes=boxes, labels=F.pad(targets["labels"], (0, ROWS)), ignore=ignore)


CASES = {
    "some": [target(*BOXES), target(), target(*BOXES[:1], label=2)],
    "all empty": [target(), target()],
    "tied": [target(*TIED), target(TIED[0])],
    "best anchor only": [target((30, 30, 36, 37)), target((0, 0, 2, 2), (90, 90, 96, 96))],
    "many": [target(*((x, 4.0 * x % 60, x + 30, 4.0 * x % 60 + 28) for x in range(0, 60, 5)))],
}


@pytest.mark.parametrize("way", ["batched", "per_image"])
@pytest.mark.parametrize("case", CASES)
def test_losses_and_all_gradients_equal_torchvisions_own_retinanet(way: str, case: str) -> None:
    torch.manual_seed(0)
    ours = retinanet("resnet18", 2, anchor_sizes=SIZES, channels=64, head_convs=2)
    theirs = TorchvisionRetinaNet(
        NamedMaps(ours.backbone, 64),
        3,
        head=ours.head,
        anchor_generator=ours.anchor_generator,
        min_size=96,
    )
    targets = CASES[case]
    images = torch.rand(len(targets), 3, 96, 96)
    expected = theirs(list(images), targets)
    expected_gradients = gradients(ours, expected)
    for given_targets in (pad_targets(targets), longer(pad_targets(targets))):
        ours.loss_method = way
        losses = ours(images, given_targets)
        found_gradients = gradients(ours, losses)
        for name, value in expected.items():
            torch.testing.assert_close(losses[name], value, rtol=1e-5, atol=1e-7)
        assert (
            found_gradients.keys()
            == expected_gradients.keys()
            == {name for name, _ in ours.named_parameters()}
        )
        for name, value in expected_gradients.items():
            torch.testing.assert_close(
                found_gradients[name], value, rtol=1e-5, atol=1e-5 * float(value.abs().max())
            )


def outputs_for(anchors: Tensor, images: int, classes: int = 2) -> dict[str, Tensor]:
    return {
        "cls_logits": torch.randn(images, len(anchors), classes + 1).requires_grad_(),
        "bbox_regression": torch.randn(images, len(anchors), 4).requires_grad_(),
    }


def grid() -> Tensor:
    steps = torch.arange(4, 100, 8.0)
    center = torch.cartesian_prod(steps, steps)
    return torch.cat([torch.cat([center - s, center + s], 1) for s in (12.0, 20.0)])


corners = st.tuples(
    st.integers(-40, 90), st.integers(-40, 90), st.integers(0, 60), st.integers(0, 60)
)
box_lists = st.lists(corners.map(lambda c: (c[0], c[1], c[0] + c[2], c[1] + c[3])), max_size=4)
batches = st.lists(st.tuples(box_lists, box_lists), min_size=1, max_size=3)


def batch_of(cases: list[Any]) -> list[dict[str, Tensor]]:
    return [
        target(*boxes, ignore=torch.tensor(ignore).float().reshape(-1, 4))
        for boxes, ignore in cases
    ]


def plain_matches(anchors: Tensor, boxes: Tensor, ignore: Tensor) -> Tensor:
    """torchvision's matcher for one image, of the boxes that some anchor overlaps; then what is
    ignored."""
    quality = box_iou(boxes, anchors)
    reached = quality.amax(dim=1) > 0 if len(boxes) else torch.zeros(0, dtype=torch.bool)
    matches = torch.full((len(anchors),), BACKGROUND)
    if reached.any():
        matched = Matcher(0.5, 0.4, allow_low_quality_matches=True)(quality[reached])
        matches = torch.where(matched >= 0, torch.where(reached)[0][matched.clamp(min=0)], matched)
    for x1, y1, x2, y2 in ignore.tolist():
        if x2 <= x1 or y2 <= y1:
            continue
        x, y = (anchors[:, 0] + anchors[:, 2]) / 2, (anchors[:, 1] + anchors[:, 3]) / 2
        spared = (x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)
        spared |= box_iou(torch.tensor([[x1, y1, x2, y2]]), anchors)[0] >= 0.4
        matches[spared & (matches == BACKGROUND)] = NO_PART
    return matches


@settings(max_examples=80)
@given(batches)
def test_anchors_match_as_torchvisions_matcher_says_image_by_image(cases: list[Any]) -> None:
    anchors, targets = grid(), batch_of(cases)
    matches = match_anchors(anchors, pad_targets(targets))
    for matched, image in zip(matches, targets, strict=True):
        assert torch.equal(matched, plain_matches(anchors, image["boxes"], image["ignore"]))


@settings(max_examples=30)
@given(batches)
def test_images_one_by_one_match_as_the_padded_batch_does(cases: list[Any]) -> None:
    targets = pad_targets(batch_of(cases))
    assert torch.equal(match_each(grid(), targets), match_anchors(grid(), targets))


@settings(max_examples=30)
@given(batches, st.sampled_from([Focal(), Focal(0.6, 0.0), Focal(0.1, 3.5)]))
def test_both_ways_give_the_same_losses_and_gradients(cases: list[Any], focal: Focal) -> None:
    anchors, targets = grid(), pad_targets(batch_of(cases))
    torch.manual_seed(0)
    outputs = outputs_for(anchors, len(cases))
    matches, divisors = match_anchors(anchors, targets), torch.rand(len(cases)) + 0.1
    results = []
    for losses_of in (batched_losses, per_image_losses):
        losses = losses_of(outputs, anchors, targets, matches, divisors, focal)
        results.append((losses, torch.autograd.grad(sum(losses.values()), list(outputs.values()))))
    (one, its_gradients), (other, others) = results
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-5, atol=1e-7)
    for a, b in zip(its_gradients, others, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("case", CASES)
def test_each_image_by_its_own_positives_is_torchvisions_loss_to_the_bit(case: str) -> None:
    torch.manual_seed(0)
    anchors, targets = grid(), pad_targets(CASES[case])
    outputs, head = outputs_for(anchors, len(CASES[case])), make_head(32, 2, 3, 1)
    matches = match_each(anchors, targets)
    expected = head.compute_loss(CASES[case], outputs, [anchors] * len(matches), list(matches))
    own = (matches >= 0).sum(dim=1).clamp(min=1)
    losses = per_image_losses(outputs, anchors, targets, matches, own, Focal())
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(losses[name], value), name
        gradients = [
            torch.autograd.grad(loss, outputs.values(), retain_graph=True, allow_unused=True)
            for loss in (losses[name], value)
        ]
        for a, b in zip(*gradients, strict=True):
            assert (a is None) == (b is None)
            assert a is None or torch.equal(a, b)


@pytest.mark.parametrize("losses_of", [batched_losses, per_image_losses])
def test_sums_are_weighed_and_divided_as_they_are_by_hand(losses_of: Any) -> None:
    """Two images of two anchors: a figure at probability 0.8 beside background at 0.3, and
    background at 0.3 beside an anchor without a part. alpha 0.6, gamma 1."""
    anchors = torch.tensor([[0.0, 0, 10, 10], [40, 40, 50, 50]])
    sure, unsure = (float(torch.logit(torch.tensor(p))) for p in (0.8, 0.3))
    logits = torch.full((2, 2, 2), -200.0)  # class 0 costs nothing
    logits[0, 0, 1], logits[0, 1, 1], logits[1, :, 1] = sure, unsure, unsure
    outputs = {"cls_logits": logits, "bbox_regression": torch.zeros(2, 2, 4)}
    outputs["bbox_regression"][0, 0, 0] = 0.5  # moved by half its side: IoU is 1/3, so is GIoU
    targets = pad_targets([target((0, 0, 10, 10)), target(ignore=torch.tensor([[0.0, 0, 9, 9]]))])
    matches = match_anchors(anchors, targets)
    assert matches.tolist() == [[0, BACKGROUND], [NO_PART, BACKGROUND]]
    losses = losses_of(outputs, anchors, targets, matches, torch.tensor([2.0, 4.0]), Focal(0.6, 1))
    figure = 0.6 * 0.2 * -math.log(0.8)
    background = 0.4 * 0.3 * -math.log(0.7)
    expected = ((figure + background) / 2 + background / 4) / 2
    assert float(losses["classification"]) == pytest.approx(expected, rel=1e-6)
    assert float(losses["bbox_regression"]) == pytest.approx((2 / 3 / 2 + 0) / 2, rel=1e-6)


@pytest.mark.parametrize("box", [(10, 10, 10, 40), (500, 500, 550, 550)])
def test_a_box_that_no_anchor_overlaps_changes_nothing(box: tuple[int, ...]) -> None:
    anchors = torch.tensor([[0.0, 0, 32, 32], [30, 30, 62, 62], [60, 60, 92, 92]])
    assert match_anchors(anchors, pad_targets([target(box)])).tolist() == [[BACKGROUND] * 3]
    beside = target((0, 0, 31, 31), box)  # overlaps the second anchor a little
    assert match_anchors(anchors, pad_targets([beside])).tolist() == [[0, BACKGROUND, BACKGROUND]]


def test_padding_of_any_length_teaches_nothing_and_ignores_nothing() -> None:
    anchors = torch.tensor(
        [[-16.0, -16, 16, 16], [0, 0, 32, 32]]
    )  # the first one's centre is where padding lies
    plain = BoxTargets(
        boxes=torch.zeros(1, 0, 4),
        labels=torch.zeros(1, 0, dtype=torch.int64),
        ignore=torch.zeros(1, 0, 4),
    )
    for padded in (plain, pad_targets([target()])):
        assert match_anchors(anchors, padded).tolist() == [[BACKGROUND, BACKGROUND]]


def test_boxes_are_decoded_as_torchvision_decodes_them() -> None:
    anchors, codes = grid(), 3 * torch.randn(2, len(grid()), 4)
    codes[0, 0] = torch.tensor([0.1, -0.1, 9.0, 9.0])  # grows by more than is let
    expected = torch.stack(
        [BoxCoder((1.0, 1.0, 1.0, 1.0)).decode_single(image, anchors) for image in codes]
    )
    torch.testing.assert_close(decode_boxes(codes, anchors), expected, rtol=1e-6, atol=1e-4)


def test_giou_and_its_gradient_are_torchvisions_also_where_boxes_touch_or_are_apart() -> None:
    true = torch.tensor([[10.0, 10, 30, 40]]).repeat(6, 1)
    boxes = torch.tensor(
        [
            [12.0, 8, 33, 41],
            [10, 10, 30, 40],
            [30, 10, 50, 40],
            [60, 60, 80, 90],
            [15, 15, 15, 15],
            [30, 40, 50, 60],
        ]
    )
    results = []
    for loss in (giou_loss, generalized_box_iou_loss):
        mine = boxes.clone().requires_grad_()
        value = loss(mine, true)
        results.append((value.detach(), torch.autograd.grad(value.sum(), mine)[0]))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)


def test_the_batched_way_asks_the_device_nothing_and_its_work_is_the_same_for_any_batch() -> None:
    counts = []
    for images in (1, 5):
        outputs, targets = outputs_for(grid(), images), pad_targets([target(*BOXES)] * images)
        balance = LossBalance("running_mean")
        with profile(activities=[ProfilerActivity.CPU]) as profiled:
            matches = match_anchors(grid(), targets)
            divisors = balance((matches >= 0).sum(dim=1))
            losses = batched_losses(outputs, grid(), targets, matches, divisors, Focal())
            sum(losses.values()).backward()
        names = Counter(event.name for event in profiled.events())
        assert names["aten::log_sigmoid_forward"] == 1
        assert not names.keys() & {
            f"aten::{sync}" for sync in ("item", "_local_scalar_dense", "nonzero", "index")
        }
        counts.append(names)
    assert counts[0] == counts[1]
