"""Sampling and losses of Faster R-CNN: fair, repeatable, without waiting; nothing from filling."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler, BoxCoder

from midog.models.losses import decode_boxes, encode_boxes
from midog.models.proposals import Proposals
from midog.models.protocol import pad_targets
from midog.models.rcnn_losses import (
    box_losses,
    plain_codes,
    random_keys,
    rpn_losses,
    sample,
    sample_boxes,
    second_codes,
)
from tests.models.test_losses import grid, longer, target

DRAW = torch.tensor(3)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([-1, 0, 0, 0, 1, 2]), min_size=1, max_size=60),
    st.integers(1, 40),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
)
def test_as_many_of_each_kind_are_sampled_as_torchvision_samples(
    labels: list[int], count: int, share: float
) -> None:
    column = torch.tensor(labels)
    theirs = BalancedPositiveNegativeSampler(count, share)([column])
    rows, chosen = sample(
        column[None], count, share, random_keys(torch.Size((1, len(labels))), DRAW)
    )
    mine = rows[0][chosen[0]]
    assert len(mine.unique()) == len(mine)
    assert int((column[mine] > 0).sum()) == int(theirs[0][0].sum())
    assert int((column[mine] == 0).sum()) == int(theirs[1][0].sum())
    assert (column[mine] >= 0).all()


def test_keys_are_uniform_and_follow_from_the_draw() -> None:
    shape = torch.Size((4, 5000))
    keys = random_keys(shape, DRAW)
    assert torch.equal(keys, random_keys(shape, DRAW))
    assert not torch.equal(keys, random_keys(shape, DRAW + 1))
    counts = torch.histc(keys, bins=20, min=0, max=1)
    assert ((counts - 1000).abs() < 5 * 1000**0.5).all()
    others = torch.stack([random_keys(torch.Size((1, 3)), DRAW + n)[0] for n in range(2000)])
    assert (torch.corrcoef(others.T).fill_diagonal_(0).abs() < 0.1).all()
    assert (others.mean(dim=0) - 0.5).abs().max() < 0.04


def test_every_anchor_is_sampled_equally_often() -> None:
    labels = torch.zeros(1, 100, dtype=torch.int64)
    counts = torch.zeros(100)
    for number in range(400):
        rows, chosen = sample(labels, 10, 0.5, random_keys(labels.shape, torch.tensor(number)))
        assert chosen.all()
        counts[rows[0]] += 1
    assert ((counts - 40).abs() < 5 * 40**0.5).all()


def test_codes_of_the_second_stage_are_torchvisions() -> None:
    boxes, proposals = grid()[:20], grid()[20:40] + torch.tensor([1.0, 2, 5, 9])
    theirs = BoxCoder((10.0, 10.0, 5.0, 5.0))
    codes = second_codes(encode_boxes(boxes, proposals))
    torch.testing.assert_close(codes, theirs.encode_single(boxes, proposals), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(decode_boxes(plain_codes(codes), proposals), boxes)


def outputs(anchors: Tensor, images: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return (
        torch.randn(images, len(anchors)).requires_grad_(),
        torch.randn(images, len(anchors), 4).requires_grad_(),
    )


def test_anchors_on_ignored_boxes_have_no_part() -> None:
    anchors, ignore = grid(), torch.tensor([[10.0, 10, 60, 60]])
    center = (anchors[:, :2] + anchors[:, 2:]) / 2
    under = ((center >= 10) & (center <= 60)).all(dim=1)
    gradients = []
    for extra in ({}, {"ignore": ignore}):
        objectness, codes = outputs(anchors, 1)
        targets = pad_targets([target((70, 70, 94, 94), **extra)])
        losses = rpn_losses(objectness, codes, anchors, targets, 10_000, DRAW)
        gradients.append(torch.autograd.grad(losses["loss_objectness"], objectness)[0][0])
    assert (gradients[0][under] != 0).all()
    assert (gradients[1][under] == 0).all()
    assert (gradients[1] != 0).any()


def test_true_boxes_are_among_the_samples_and_filling_and_ignored_boxes_are_not() -> None:
    boxes = torch.tensor([[[0.0, 0, 40, 40], [50, 50, 90, 90], [0, 0, 9, 9], [100, 0, 140, 40]]])
    real = torch.tensor([[True, True, False, True]])
    ignore = torch.tensor([[45.0, 45, 95, 95]])
    targets = pad_targets([target((1, 1, 41, 41), label=2, ignore=ignore)])
    sampled = sample_boxes(Proposals(boxes, real), targets, 20, DRAW)
    rows = sampled.boxes[sampled.chosen].tolist()
    assert sorted(zip(rows, sampled.labels[sampled.chosen].tolist(), strict=True)) == [
        ([0, 0, 40, 40], 2),
        ([1, 1, 41, 41], 2),
        ([100, 0, 140, 40], 0),
    ]
    figures = sampled.true[sampled.chosen & (sampled.labels > 0)]
    assert figures.tolist() == [[1, 1, 41, 41]] * 2


def test_padding_and_filling_change_no_loss_and_no_gradient_is_not_a_number() -> None:
    anchors = grid()
    targets = pad_targets([target((10, 10, 40, 44)), target()])
    proposals = anchors[:50].expand(2, -1, -1)
    filling = torch.cat([proposals, torch.zeros(2, 7, 4)], dim=1)
    results: list[Any] = []
    for padded, boxes in ((targets, proposals), (longer(targets), filling)):
        objectness, codes = outputs(anchors, 2)
        real = (boxes[..., 2:] > boxes[..., :2]).all(dim=-1)
        sampled = sample_boxes(Proposals(boxes, real), padded, 1000, DRAW)
        width = sampled.boxes.shape[1]
        logits = torch.ones(2, width, 3) * torch.tensor([0.3, 0.1, 0.2])
        own = torch.full((2, width, 3, 4), 0.1, requires_grad=True)
        losses = rpn_losses(objectness, codes, anchors, padded, 10_000, DRAW)
        losses |= box_losses(logits.requires_grad_(), own, sampled)
        torch.stack(list(losses.values())).sum().backward()
        results.append((losses, objectness.grad, codes.grad))
        assert all(value.grad.isfinite().all() for value in (own, objectness, codes))
    torch.testing.assert_close(results[0], results[1])


@pytest.mark.parametrize("images", [1, 5])
def test_the_device_is_asked_nothing(images: int) -> None:
    anchors = grid()
    objectness, codes = outputs(anchors, images)
    targets = pad_targets([target((10, 10, 40, 44))] * images)
    boxes = anchors.expand(images, -1, -1)
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        losses = rpn_losses(objectness, codes, anchors, targets, 64, DRAW)
        proposals = Proposals(boxes, torch.ones(images, len(anchors), dtype=torch.bool))
        sampled = sample_boxes(proposals, targets, 32, DRAW)
        logits = torch.zeros(images, 32, 2, requires_grad=True)
        losses |= box_losses(logits, torch.zeros(images, 32, 2, 4, requires_grad=True), sampled)
        torch.stack(list(losses.values())).sum().backward()
    names = {event.name for event in profiled.events()}
    assert not names & {f"aten::{sync}" for sync in ("item", "_local_scalar_dense", "nonzero")}
