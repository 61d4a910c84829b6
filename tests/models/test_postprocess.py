"""Candidates: what the plain way, image by image, keeps of each level; nothing where nothing is
over the floor."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder
from torchvision.ops import batched_nms

from midog.models.postprocess import PER_LEVEL, find_candidates, suppress
from midog.models.protocol import Candidates


def drawn(
    batch: int, classes: int, lengths: tuple[int, ...], seed: int = 0
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """Outputs of a head and anchors by level."""
    torch.manual_seed(seed)
    total = sum(lengths)
    corners = torch.rand(total, 2) * 500
    anchors = torch.cat([corners, corners + 20 + 60 * torch.rand(total, 2)], dim=1)
    logits = torch.randn(batch, total, classes + 1) * 2
    logits[..., 0] = 20  # class 0, which nothing teaches
    codes = torch.randn(batch, total, 4) * 0.2
    return {"cls_logits": logits, "bbox_regression": codes}, list(anchors.split(list(lengths)))


def plain(
    outputs: dict[str, Tensor], anchors: list[Tensor], floor: float, image: int
) -> tuple[Tensor, ...]:
    """Boxes, scores and labels of one image, as torchvision's RetinaNet.postprocess_detections
    chooses them."""
    coder = BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))
    levels, begin = [], 0
    for level in anchors:
        part = slice(begin, begin + len(level))
        begin += len(level)
        scores = outputs["cls_logits"][image, part, 1:].sigmoid()
        over = torch.where(scores.flatten() > floor)[0]
        best, order = scores.flatten()[over].topk(min(1000, len(over)))
        at = over[order].div(scores.shape[1], rounding_mode="floor")
        boxes = coder.decode_single(outputs["bbox_regression"][image, part][at], level[at])
        levels.append((boxes, best, over[order] % scores.shape[1] + 1))
    return tuple(torch.cat(column) for column in zip(*levels, strict=True))


@pytest.mark.parametrize("floor", [0.0, 0.05, 0.7, 0.999])
@pytest.mark.parametrize(("batch", "classes", "lengths"), [(1, 1, (300,)), (3, 2, (900, 220, 40))])
def test_they_are_those_of_the_plain_way(
    batch: int, classes: int, lengths: tuple[int, ...], floor: float
) -> None:
    outputs, anchors = drawn(batch, classes, lengths)
    candidates = find_candidates(outputs, anchors, floor)
    assert candidates.boxes.shape == (batch, candidates.scores.shape[1], 4)
    for image in range(batch):
        there = candidates.scores[image] > 0
        boxes, scores, labels = plain(outputs, anchors, floor, image)
        torch.testing.assert_close(candidates.boxes[image, there], boxes)
        torch.testing.assert_close(candidates.scores[image, there], scores)
        assert torch.equal(candidates.labels[image, there], labels)
        assert there.any() or floor > 0.99


def test_no_level_gives_more_than_its_share() -> None:
    outputs, anchors = drawn(2, 1, (3000, 100))
    candidates = find_candidates(outputs, anchors, 0.0)
    assert candidates.scores.shape == (2, PER_LEVEL + 100)
    least = candidates.scores[:, :PER_LEVEL].amin(dim=1)
    assert torch.equal(
        (outputs["cls_logits"][:, :3000, 1].sigmoid() >= least[:, None]).sum(dim=1),
        torch.tensor([1000, 1000]),
    )


def test_suppression_is_that_of_each_image_by_itself() -> None:
    outputs, anchors = drawn(3, 2, (900, 220))
    candidates = find_candidates(outputs, anchors, 0.5)
    for image, result in enumerate(suppress(candidates, 0.2, 30)):
        boxes, scores, labels = plain(outputs, anchors, 0.5, image)
        keep = batched_nms(boxes, scores, labels, 0.2)[:30]
        torch.testing.assert_close(result["boxes"], boxes[keep])
        torch.testing.assert_close(result["scores"], scores[keep])
        assert torch.equal(result["labels"], labels[keep])
        assert len(keep) == 30


def test_an_image_without_candidates_has_none() -> None:
    boxes, labels = torch.rand(2, 5, 4), torch.ones(2, 5, dtype=torch.int64)
    boxes[..., 2:] += 1
    scores = torch.tensor([[0.0] * 5, [0, 0.3, 0, 0, 0]])
    nothing, one = suppress(Candidates(boxes, scores, labels), 0.2, 10)
    assert nothing["boxes"].shape == (0, 4)
    assert one["boxes"].tolist() == boxes[1, 1:2].tolist()
