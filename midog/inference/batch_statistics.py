"""BatchNorm statistics of a network, taken anew from images, as if all of them were one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

from midog.errors import WeightsError
from midog.models.protocol import DetectionNetwork
from midog.progress import OnStep

_NORMS: tuple[type[nn.Module], ...] = (nn.BatchNorm2d, FrozenBatchNorm2d)

_NOTHING = 1.0
"""A score that no candidate has: boxes do not matter here."""


def adapt_norms(
    network: DetectionNetwork,
    batches: Callable[[], Iterable[Tensor]],
    on_pass: OnStep | None = None,
) -> list[str]:
    """Replace the statistics of every BatchNorm by those of some images, in place.

    Adaptive batch normalisation (Li et al. 2016, arXiv:1603.04779): the weights stay. The layers
    are taken in the order in which the network comes to them, a pass over all images for each, so
    that what a layer sees is normalised by the statistics that those before it have by then. They
    are pooled over all images, their variance unbiased as torch keeps it: the same as if all images
    were one batch. Of a layer that a network calls several times for an image (a head, on every
    level of a pyramid) they are the mean over the calls, as those of a training are.

    Args:
        network: On its device; left in eval mode.
        batches: Gives the images, the same each time, (B, 3, H, W) float32 in [0, 1] on the
            network's device; B may differ.
        on_pass: Called after every pass.

    Returns:
        The names of the layers.

    Raises:
        WeightsError: The network has no BatchNorm with statistics.
    """
    network.eval()
    norms = {
        module: name
        for name, module in network.named_modules()
        if isinstance(module, _NORMS) and module.running_mean is not None
    }
    calls = _calls(network, next(iter(batches())), norms) if norms else {}
    if not calls:
        raise WeightsError(
            "the network has no BatchNorm with running statistics, so there is nothing to adapt",
            "choose a backbone or a head with BatchNorm, or adapt by augmentation in training",
        )
    for number, (norm, count) in enumerate(calls.items()):
        pooled = [_Pooled() for _ in range(count)]
        for images in batches():
            _look(network, images, norm, pooled)
        statistics: Any = norm
        mean = torch.stack([moments.mean for moments in pooled]).mean(dim=0)
        variance = torch.stack([moments.variance() for moments in pooled]).mean(dim=0)
        statistics.running_mean.copy_(mean)
        statistics.running_var.copy_(variance)
        if on_pass is not None:
            on_pass(number + 1, len(calls))
    return [norms[norm] for norm in calls]


class _Enough(Exception):
    """Ends a pass: what comes behind the layer does not matter."""


class _Pooled:
    """Mean and variance of each channel over batches, in float64.

    By the pairwise update of Chan, Golub and LeVeque (1979), 'Updating formulae and a pairwise
    algorithm for computing sample variances'.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(())
        self.squares = torch.zeros(())
        """Sums of squared distances from the mean."""

    def add(self, maps: Tensor) -> None:
        """Add maps (B, C, H, W)."""
        variance, mean = torch.var_mean(maps.float(), dim=(0, 2, 3), correction=0)
        # MPS has no float64
        variance, mean = variance.cpu().double(), mean.cpu().double()
        count = maps.numel() // maps.shape[1]
        total = self.count + count
        apart = mean - self.mean
        self.squares = (
            self.squares + variance * count + apart.square() * (self.count * count / total)
        )
        self.mean = self.mean + apart * (count / total)
        self.count = total

    def variance(self) -> Tensor:
        """Return the unbiased variance."""
        return self.squares / max(self.count - 1, 1)


@torch.no_grad()
def _calls(
    network: DetectionNetwork, images: Tensor, norms: Iterable[nn.Module]
) -> dict[nn.Module, int]:
    """How often each layer is called for a batch, in the order of the first calls."""
    counts: dict[nn.Module, int] = {}

    def count(norm: nn.Module, _: tuple[Tensor, ...]) -> None:
        counts[norm] = counts.get(norm, 0) + 1

    hooks = [norm.register_forward_pre_hook(count) for norm in norms]
    try:
        network.candidates(images, _NOTHING)
    finally:
        for hook in hooks:
            hook.remove()
    return counts


@torch.no_grad()
def _look(
    network: DetectionNetwork, images: Tensor, norm: nn.Module, pooled: list[_Pooled]
) -> None:
    """Add what a layer sees of some images, call by call."""
    waiting = iter(pooled)

    def add(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        moments = next(waiting)
        moments.add(inputs[0])
        if moments is pooled[-1]:
            raise _Enough

    hook = norm.register_forward_pre_hook(add)
    try:
        with suppress(_Enough):
            network.candidates(images, _NOTHING)
    finally:
        hook.remove()
