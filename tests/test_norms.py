"""Norms of our own against torch's: its numbers, in the memory and dtype that they are given."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from midog import norms
from midog.models.heads import GROUPS, make_head
from midog.norms import GroupNorm, group_norm

LAYOUTS = [torch.channels_last, torch.contiguous_format]
SHAPES = [(2, 64, 9, 7), (1, 64, 1, 1), (3, 96, 16, 16)]


def drawn(shape: tuple[int, ...], level: float, spread: float) -> tuple[Tensor, ...]:
    """Maps, weight, bias and a gradient; every channel has a level of its own."""
    draw = torch.Generator().manual_seed(3)
    maps = torch.randn(shape, generator=draw) * spread + level
    maps += torch.randn(1, shape[1], 1, 1, generator=draw)
    weight, bias = (torch.randn(shape[1], generator=draw) for _ in range(2))
    return maps, weight, bias, torch.randn(shape, generator=draw)


def run(norm, maps: Tensor, weight: Tensor, bias: Tensor, gradient: Tensor) -> list[Tensor]:
    """The result, and the gradients of maps, weight and bias."""
    inputs = [values.clone().requires_grad_() for values in (maps, weight, bias)]
    result = norm(*inputs)
    result.backward(gradient.to(result.dtype))
    return [result.detach(), *(values.grad for values in inputs)]


def plain(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.group_norm(maps, GROUPS, weight, bias, 1e-5)


def ours(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return group_norm(maps, GROUPS, weight, bias, 1e-5)


def error(one: Tensor, other: Tensor) -> float:
    """The largest difference, as a share of the largest value."""
    return float((one.double() - other.double()).abs().max() / other.double().abs().max())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("level", "spread"), [(0, 1), (30, 1), (0, 1e-4), (-3, 100)])
def test_group_norm_in_float32_equals_torchs(shape, level, spread, layout):
    maps, *others = drawn(shape, level, spread)
    maps = maps.contiguous(memory_format=layout)
    exact = run(plain, *(values.double() for values in (maps, *others)))
    for own, torchs, true in zip(
        run(ours, maps, *others), run(plain, maps, *others), exact, strict=True
    ):
        assert own.dtype == torch.float32
        assert error(own, true) <= max(1e-6, 2 * error(torchs, true))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape[2] > 1])
@pytest.mark.parametrize(("level", "spread"), [(0, 1), (30, 1), (-3, 100)])
def test_group_norm_in_bfloat16_has_float32_statistics(shape, level, spread, layout):
    maps, weight, bias, gradient = drawn(shape, level, spread)
    maps, gradient = (
        values.bfloat16().contiguous(memory_format=layout) for values in (maps, gradient)
    )
    exact = run(plain, *(values.double() for values in (maps, weight, bias, gradient)))
    own = run(ours, maps, weight, bias, gradient)
    assert [values.dtype for values in own] == [torch.bfloat16] * 2 + [torch.float32] * 2
    torchs = run(plain, *(values.float() for values in (maps, weight, bias, gradient)))
    for values, other, true in zip(own, torchs, exact, strict=True):
        rounded = true.to(values.dtype)  # as near as its dtype allows
        assert error(values, true) <= max(1e-3 + error(rounded, true), 2 * error(other, true))
        away = (values.double() - rounded.double()).abs() / true.abs().max()
        assert float(away.mean()) <= 1e-4


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_result_and_gradient_keep_the_memory_of_the_maps(dtype):
    maps, weight, bias, gradient = drawn((2, 64, 8, 8), 0, 1)
    for layout in LAYOUTS:
        shown = maps.to(dtype).contiguous(memory_format=layout)
        result, to_maps, *_ = run(ours, shown, weight, bias, gradient)
        for values in (result, to_maps):
            assert values.dtype == dtype
            assert values.is_contiguous(memory_format=layout)


def test_autocast_changes_nothing_in_it():
    maps, weight, bias, gradient = drawn((2, 64, 8, 8), 1, 2)
    maps = maps.bfloat16()
    plainly = run(ours, maps, weight, bias, gradient)
    with torch.autocast("cpu", torch.bfloat16):
        cast = run(ours, maps, weight, bias, gradient)
    assert all(torch.equal(*pair) for pair in zip(plainly, cast, strict=True))


def test_on_a_cpu_the_layer_is_torchs_to_the_bit():
    maps, *_ = drawn((2, 64, 8, 8), 1, 2)
    assert torch.equal(GroupNorm(GROUPS, 64)(maps), nn.GroupNorm(GROUPS, 64)(maps))


def test_a_head_with_it_has_torchs_names_losses_and_gradients(monkeypatch):
    head = make_head(64, 3, 2, convs=2)
    assert sum(isinstance(layer, GroupNorm) for layer in head.modules()) == 4
    other = copy.deepcopy(head)
    maps = torch.randn(2, 64, 16, 16).contiguous(memory_format=torch.channels_last)
    outputs = []
    for own, layers in ((False, head), (True, other)):
        monkeypatch.setattr(norms, "suits", lambda maps, own=own: own)
        result = layers([maps])
        sum(values.square().mean() for values in result.values()).backward()
        outputs.append(result)
    for name, values in outputs[0].items():
        torch.testing.assert_close(outputs[1][name], values, rtol=1e-5, atol=1e-6)
    for (name, one), two in zip(head.named_parameters(), other.parameters(), strict=True):
        assert error(two.grad, one.grad) < 1e-5, name
