"""BatchNorm statistics taken anew: those of one batch of all images, by another computation."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

from midog.errors import WeightsError
from midog.inference.batch_statistics import adapt_norms
from midog.models.protocol import Candidates
from tests.models.networks import CandidatesAlone, retinanet


def images_of(count: int, side: int = 64) -> Tensor:
    """Smooth coloured noise of a mean that rises from image to image."""
    noise = torch.rand(count, 3, side // 8, side // 8, generator=torch.Generator().manual_seed(3))
    smooth = nn.functional.interpolate(noise, size=(side, side), mode="bilinear")
    return (smooth + torch.linspace(0, 1, count)[:, None, None, None]) / 2


def shuffled(network: nn.Module) -> None:
    """Give every BatchNorm weights and statistics of its own."""
    generator = torch.Generator().manual_seed(5)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var, module.running_mean):
                with torch.no_grad():
                    tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)


def statistics(network: nn.Module) -> dict[str, Tensor]:
    return {name: value for name, value in network.state_dict().items() if "running" in name}


def directly(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Each layer's statistics taken of its whole input, right before it runs on it: one forward of
    one batch."""
    network = copy.deepcopy(network).double().eval()

    def take(norm: nn.BatchNorm2d, inputs: tuple[Tensor]) -> None:
        columns = inputs[0].transpose(0, 1).flatten(1)
        norm.running_mean.copy_(columns.mean(dim=1))
        norm.running_var.copy_(columns.var(dim=1, unbiased=True))

    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(take)
    with torch.no_grad():
        network.backbone.body(network.frame(images.double()).images)
    return {name: value.float() for name, value in statistics(network).items()}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    built = retinanet("resnet18", 1, anchor_sizes=((40,),), channels=32, head_convs=1)
    shuffled(built)
    return built


@pytest.mark.parametrize("sizes", [(5,), (2, 2, 1)])
def test_they_are_those_of_one_batch_however_the_images_are_batched(network, sizes):
    images, adapted = images_of(5), copy.deepcopy(network)
    expected = directly(network, images)
    passes: list[tuple[int, int]] = []
    names = adapt_norms(adapted, lambda: images.split(sizes), lambda *done: passes.append(done))
    assert len(names) == len(expected) // 2
    assert passes == [(number + 1, len(names)) for number in range(len(names))]
    for name, value in statistics(adapted).items():
        assert torch.allclose(value, expected[name], rtol=2e-4, atol=2e-5), name
        assert not torch.allclose(value, network.state_dict()[name], rtol=0.01), name


def test_nothing_but_the_statistics_changes(network):
    adapted = copy.deepcopy(network)
    adapt_norms(adapted, lambda: [images_of(2)])
    for name, value in adapted.state_dict().items():
        if "running" not in name:
            assert torch.equal(value, network.state_dict()[name]), name
    assert not adapted.training
    assert not any(module._forward_pre_hooks for module in adapted.modules())


def test_frozen_stages_are_adapted_too():
    torch.manual_seed(0)
    frozen = retinanet(
        "resnet18", 1, anchor_sizes=((40,),), channels=32, head_convs=1, unfrozen_layers=0
    )
    names = adapt_norms(frozen, lambda: [images_of(2)])
    assert "backbone.body.bn1" in names
    assert not torch.equal(frozen.backbone.body.bn1.running_mean, torch.zeros(64))


class CalledTwice(CandidatesAlone):
    """One norm on two levels, and one behind it; what is `unused` is never called."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.unused = nn.BatchNorm2d(3)
        self.behind, self.norm = nn.BatchNorm2d(3), norm

    def candidates(self, images: Tensor, floor: float) -> Candidates:
        for level in (images, 3 * images[..., ::2, ::2]):
            self.behind(self.norm(level).relu())
        return Candidates(torch.zeros(1, 0, 4), torch.zeros(1, 0), torch.zeros(1, 0).long())


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(3), FrozenBatchNorm2d(3)])
def test_a_layer_on_several_levels_has_the_mean_of_their_statistics(norm):
    network, images = CalledTwice(norm), images_of(4)
    assert adapt_norms(network, lambda: images.split(3)) == ["norm", "behind"]
    levels = [images, 3 * images[..., ::2, ::2]]
    columns = [level.transpose(0, 1).flatten(1) for level in levels]
    mean = torch.stack([level.mean(dim=1) for level in columns]).mean(dim=0)
    variance = torch.stack([level.var(dim=1) for level in columns]).mean(dim=0)
    assert torch.allclose(norm.running_mean, mean, rtol=1e-5)
    assert torch.allclose(norm.running_var, variance, rtol=1e-4)
    assert torch.equal(network.unused.running_mean, torch.zeros(3))


class WithoutNorms(CandidatesAlone):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, 3)
        self.of_the_batch = nn.BatchNorm2d(3, track_running_stats=False)

    def candidates(self, images: Tensor, floor: float) -> Candidates:
        raise NotImplementedError


def test_a_network_without_statistics_is_an_error():
    def unread() -> Iterator[Tensor]:
        raise AssertionError
        yield

    with pytest.raises(WeightsError, match="no BatchNorm with running statistics"):
        adapt_norms(WithoutNorms(), unread)
