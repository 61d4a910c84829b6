"""Layers on groups: outputs move exactly as inputs do, and not with one rotation left out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from midog.errors import ConfigError
from midog.models.classifiers.group_layers import (
    GroupBatchNorm,
    GroupConvolution,
    halve,
    pool_slots,
)
from midog.models.classifiers.groups import GROUPS

EXACT = 1e-5
P4, P4M = GROUPS["p4"], GROUPS["p4m"]
GROUP = pytest.mark.parametrize("group", [P4, P4M], ids=lambda group: group.name)

# side, kernel, stride and padding, of which nothing is left over at one end
SHAPES = [
    (8, 3, 1, 1),
    (9, 3, 1, 1),
    (8, 3, 1, 0),
    (7, 5, 1, 2),
    (8, 1, 1, 0),
    (8, 2, 1, 0),
    (9, 3, 2, 1),
    (8, 4, 2, 1),
    (8, 2, 2, 0),
    (9, 1, 2, 0),
    (10, 4, 3, 0),
]


def maps_of(channels, slots, side, other=None):
    return torch.rand(2, channels * slots, side, other or side, generator=torch.manual_seed(1))


def largest_difference(layer, group, maps, *, lifts=False):
    """The most by which the output of moved maps differs from the moved output, over elements."""
    move_in = group.move if lifts else group.move_maps
    with torch.no_grad():
        out = layer(maps)
        return max(
            float((layer(move_in(maps, element)) - group.move_maps(out, element)).abs().max())
            for element in range(len(group))
        )


def filtering(group, kernel=3, *, lifts=False, **shape):
    torch.manual_seed(0)
    return GroupConvolution(group, 3 if lifts else 2, 4, kernel, lifts=lifts, bias=True, **shape)


@GROUP
@pytest.mark.parametrize("lifts", [True, False], ids=["lifting", "group"])
@pytest.mark.parametrize(("side", "kernel", "stride", "padding"), SHAPES)
def test_a_convolution_moves_with_its_input(group, lifts, side, kernel, stride, padding):
    layer = filtering(group, kernel, lifts=lifts, stride=stride, padding=padding)
    nn.init.normal_(layer.bias)
    maps = maps_of(3, 1, side) if lifts else maps_of(2, len(group), side)
    out = layer(maps)
    assert out.shape[1] == 4 * len(group)
    assert float(out.detach().std()) > 0.1
    assert largest_difference(layer, group, maps, lifts=lifts) < EXACT


@GROUP
def test_maps_need_not_be_square(group):
    layer = filtering(group, padding=1)
    assert largest_difference(layer, group, maps_of(2, len(group), 6, 9)) < EXACT


@GROUP
@pytest.mark.parametrize("lifts", [True, False], ids=["lifting", "group"])
def test_with_any_one_rotation_left_out_of_the_table_it_does_not(group, lifts):
    maps = maps_of(3, 1, 8) if lifts else maps_of(2, len(group), 8)
    for left_out in range(1, len(group)):
        layer = filtering(group, lifts=lifts, padding=1)
        layer.table[left_out] = layer.table[0]
        assert largest_difference(layer, group, maps, lifts=lifts) > 0.1


@GROUP
def test_with_the_slots_not_permuted_it_does_not(group):
    layer = filtering(group, padding=1)
    still = group.filter_table(3, lifts=True)
    layer.table.copy_(torch.cat([still + 9 * slot for slot in range(len(group))], dim=1))
    assert largest_difference(layer, group, maps_of(2, len(group), 8), lifts=False) > 0.1


@GROUP
def test_a_convolution_is_the_sum_over_the_group_that_the_paper_writes(group):
    layer = filtering(group, 3)
    maps = maps_of(2, len(group), 5)
    stored = layer.weight.view(4, 2, len(group), 3, 3)
    slotted = maps.view(2, 2, len(group), 5, 5)
    out = layer(maps).view(2, 4, len(group), 3, 3)
    for element in range(len(group)):
        inverse = group.inverses[element]
        expected = sum(
            F.conv2d(
                slotted[:, :, slot],
                group.move(stored[:, :, group.products[inverse][slot]], element),
            )
            for slot in range(len(group))
        )
        torch.testing.assert_close(out[:, :, element], expected)


@GROUP
@pytest.mark.parametrize(("side", "kernel"), [(8, 3), (9, 2), (9, 4), (8, 1)])
def test_a_stride_that_would_break_it_is_refused(group, side, kernel):
    layer = filtering(group, kernel, stride=2)
    message = f"{group.name} convolution of {kernel} px and stride 2 does not turn .* {side},"
    with pytest.raises(ConfigError, match=message):
        layer(maps_of(2, len(group), side))


def test_the_refused_stride_would_break_it():
    layer = filtering(P4, 3, stride=2, padding=1)
    plain = nn.Conv2d(8, 16, 3, stride=2, padding=1)
    with torch.no_grad():
        plain.weight.copy_(layer.filters())
    assert largest_difference(plain, P4, maps_of(2, 4, 8)) > 0.1


@GROUP
def test_weights_are_stored_once_and_drawn_for_all_inputs_of_an_output(group):
    torch.manual_seed(0)
    lifting = GroupConvolution(group, 3, 64, 3, lifts=True)
    layer = GroupConvolution(group, 64, 64, 3, bias=True)
    slots = len(group)
    assert sum(p.numel() for p in lifting.parameters()) == 64 * 3 * 9
    assert sum(p.numel() for p in layer.parameters()) == 64 * 64 * slots * 9 + 64
    assert float(lifting.weight.detach().std()) == pytest.approx(math.sqrt(2 / 27), rel=0.05)
    assert float(layer.weight.detach().std()) == pytest.approx(
        math.sqrt(2 / (64 * slots * 9)), rel=0.05
    )
    maps = F.relu(torch.randn(2, 3, 12, 12)) * math.sqrt(2)
    with torch.no_grad():
        lifted = lifting(maps)
        size = float(lifted.std())
        assert float(layer(F.relu(lifted)).std()) == pytest.approx(size, rel=0.2)
    assert [*lifting.state_dict(), *layer.state_dict()] == ["weight", "weight", "bias"]


@GROUP
@pytest.mark.parametrize("training", [True, False])
def test_a_norm_moves_with_its_input_and_has_one_statistic_for_a_channel(group, training):
    layer = GroupBatchNorm(group, 3).train(training)
    nn.init.normal_(layer.norm.weight)
    nn.init.normal_(layer.norm.bias)
    maps = maps_of(3, len(group), 5, 4)
    assert largest_difference(layer, group, maps) < EXACT
    assert [*layer.norm.weight.shape, *layer.norm.running_mean.shape] == [3, 3]
    if training:
        normed = layer(maps).unflatten(1, (3, -1))
        torch.testing.assert_close(
            normed.std(dim=(0, 2, 3, 4), correction=0), layer.norm.weight.abs(), rtol=1e-3, atol=0
        )


@GROUP
@pytest.mark.parametrize("how", ["mean", "max"])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 9), (8, 9), (5, 6), (1, 2)])
def test_halving_moves_with_its_input(group, how, height, width):
    maps = maps_of(2, len(group), height, width)
    assert halve(maps, how).shape[-2:] == (-(-height // 2), -(-width // 2))
    assert largest_difference(lambda own: halve(own, how), group, maps) < EXACT


def test_halving_keeps_a_mean_and_forgets_no_place():
    assert torch.equal(halve(torch.ones(1, 1, 5, 5), "mean"), torch.ones(1, 1, 3, 3))
    for place in range(25):
        maps = F.one_hot(torch.tensor(place), 25).view(1, 1, 5, 5).float()
        assert halve(maps, "max").sum() >= 1


@GROUP
@pytest.mark.parametrize("how", ["mean", "max"])
def test_joined_slots_turn_with_the_image(group, how):
    maps = maps_of(2, len(group), 5)
    joined = pool_slots(maps, group, how)
    assert joined.shape == (2, 2, 5, 5)
    for element in range(len(group)):
        moved = pool_slots(group.move_maps(maps, element), group, how)
        torch.testing.assert_close(moved, group.move(joined, element), rtol=0, atol=EXACT)
    first = maps[:, : len(group)]
    expected = first.mean(dim=1) if how == "mean" else first.amax(dim=1)
    torch.testing.assert_close(joined[:, 0], expected)


def test_training_with_several_processes_leaves_the_shared_statistics_shared():
    from midog.training.batch_norm import sync_batch_norms

    layer = GroupBatchNorm(P4, 3)
    maps = maps_of(3, 4, 5)
    expected = layer(maps)
    sync_batch_norms(layer)
    assert type(layer.norm).__name__ == "SyncedBatchNorm"
    assert torch.equal(layer(maps), expected)
