"""Proposals: of a fixed number, those of torchvision's region proposal network."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import nms

from midog.models.anchors import Anchors
from midog.models.losses import decode_boxes
from midog.models.proposals import find_proposals, keep_best, keep_best_in_rounds

SIZE = (90, 120)  # of the images, padded to 96 x 128


class _Said(nn.Module):
    """A head that gives what it was made with."""

    def __init__(self, outputs: tuple[list[Tensor], list[Tensor]]) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, maps: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        return self.outputs


def drawn() -> tuple[list[Tensor], list[Tensor], list[Tensor], Anchors]:
    torch.manual_seed(0)
    maps = [torch.zeros(2, 1, 12, 16), torch.zeros(2, 1, 6, 8)]
    logits = [torch.randn(2, 2, *level.shape[2:]) for level in maps]
    codes = [0.5 * torch.randn(2, 8, *level.shape[2:]) for level in maps]
    return maps, logits, codes, Anchors(((24.0, 32.0), (48.0, 64.0)), (1.0,))


@pytest.mark.parametrize("most", [20, 100, 1000])
def test_they_are_torchvisions(most: int) -> None:
    maps, logits, codes, anchors = drawn()
    theirs = RegionProposalNetwork(
        anchors,
        _Said((logits, codes)),
        0.7,
        0.3,
        256,
        0.5,
        {"testing": most},
        {"testing": most},
        0.7,
    ).eval()
    images = ImageList(torch.zeros(2, 3, 96, 128), [SIZE, SIZE])
    expected, _ = theirs(images, {str(i): level for i, level in enumerate(maps)})
    _, levels = anchors.of(maps, (96, 128))
    proposals = find_proposals(
        [own.view(2, 2, -1).transpose(1, 2).flatten(1) for own in logits],
        [own.unflatten(1, (2, 4)).permute(0, 3, 4, 1, 2).flatten(1, 3) for own in codes],
        levels,
        SIZE,
        most,
    )
    assert proposals.boxes.shape == (2, proposals.real.shape[1], 4)
    assert proposals.real.shape[1] <= most
    for boxes, real, own in zip(*proposals, expected, strict=True):
        torch.testing.assert_close(boxes[real], own)
    assert not proposals.real.all() or most < 1000


def test_flat_boxes_are_none() -> None:
    anchors = torch.tensor([[0.0, 0, 32, 32], [130, 0, 160, 30]])  # the other is outside the image
    proposals = find_proposals(
        [torch.tensor([[0.0, 5.0]])], [torch.zeros(1, 2, 4)], [anchors], SIZE, 10
    )
    assert proposals.boxes[proposals.real].tolist() == [[0, 0, 32, 32]]


@pytest.mark.parametrize("count", [1, 60, 400])
def test_rounds_keep_what_the_usual_loop_keeps(count: int) -> None:
    torch.manual_seed(count)
    corners = 60 * torch.rand(3, count, 2)
    boxes = torch.cat([corners, corners + 20 + 10 * torch.rand(3, count, 2)], dim=-1)
    real = torch.rand(3, count) > 0.2
    kept = keep_best_in_rounds(boxes, real, 0.5)
    assert torch.equal(kept, keep_best(boxes, real, 0.5))
    for own, here, result in zip(boxes, real, kept, strict=True):
        order = -torch.arange(count).float()[here]
        expected = torch.arange(count)[here][nms(own[here], order, 0.5)]
        assert torch.equal(result.nonzero()[:, 0], expected)


def test_a_chain_of_boxes_is_settled_from_its_best_on() -> None:
    x = 4.0 * torch.arange(40)  # each overlaps the next two by more than half
    boxes = torch.stack([x, torch.zeros(40), x + 20, torch.full((40,), 20.0)], dim=1)[None]
    kept = keep_best_in_rounds(boxes, torch.ones(1, 40, dtype=torch.bool), 0.4)
    assert kept[0].nonzero()[:, 0].tolist() == list(range(0, 40, 3))


def test_nothing_is_learned_through_proposals() -> None:
    codes = torch.zeros(1, 1, 4, requires_grad=True)
    anchors = torch.tensor([[0.0, 0, 32, 32]])
    assert decode_boxes(codes, anchors).requires_grad
    proposals = find_proposals([torch.zeros(1, 1)], [codes], [anchors], SIZE, 10)
    assert not proposals.boxes.requires_grad
