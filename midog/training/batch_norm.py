"""BatchNorm over the patches of all processes, so that several train as one would."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from midog.norms import channel_sums, moved_gradient, scale_and_shift


def learning_norms(network: nn.Module) -> list[tuple[nn.Module, str, nn.BatchNorm2d]]:
    """Return every BatchNorm that learns, with the module that holds it and its name there."""
    return [
        (parent, name, norm)
        for parent in network.modules()
        for name, norm in parent.named_children()
        if isinstance(norm, nn.BatchNorm2d) and norm.weight.requires_grad
    ]


def sync_batch_norms(network: nn.Module) -> None:
    """Put in place of every BatchNorm that learns one that takes its statistics over all processes.

    Weights, statistics and their names stay.
    """
    for parent, name, norm in learning_norms(network):
        setattr(parent, name, SyncedBatchNorm(norm))


class SyncedBatchNorm(nn.BatchNorm2d):
    """A BatchNorm that normalises the batches of all processes as the one batch that they are.

    torch's own (nn.SyncBatchNorm) is for GPUs alone, makes them wait, and is no nn.BatchNorm2d,
    which merging looks for.

    Args:
        norm: Of which it takes over weights, statistics and mode.
    """

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, device="meta")
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked
        self.train(norm.training)

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise (B, C, H, W), in training over the patches of all processes."""
        if not (self.training and _processes() > 1):
            return super().forward(maps)
        result, mean, variance = _SyncedBatchNorm.apply(maps, self.weight, self.bias, self.eps)
        self._note(mean, variance, maps.numel() // len(mean) * _processes())
        normalised: Tensor = result
        return normalised

    @torch.no_grad()
    def _note(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics, the variance's unbiased, as nn.BatchNorm2d does."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / max(count - 1, 1)), self.momentum)
        self.num_batches_tracked += 1


class _SyncedBatchNorm(torch.autograd.Function):
    """The result, and the mean and variance of all processes; their batches are of one shape."""

    @staticmethod
    def forward(
        ctx: Any, maps: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        with torch.autocast(maps.device.type, enabled=False):
            own = torch.stack(torch.var_mean(maps.float(), dim=(0, 2, 3), correction=0))
            variances, means = _of_all(own).unbind(1)
            mean = means.mean(dim=0)
            variance = variances.mean(dim=0) + (means - mean).square().mean(dim=0)
            inverse = (variance + eps).rsqrt()
            scale = inverse * weight
            ctx.save_for_backward(maps, weight, mean, inverse)
            ctx.mark_non_differentiable(mean, variance)
            return scale_and_shift(maps, scale[None], (bias - mean * scale)[None]), mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        maps, weight, mean, inverse = ctx.saved_tensors
        with torch.autocast(maps.device.type, enabled=False):
            sums, products = (values.sum(dim=0) for values in channel_sums(gradient, maps))
            own = torch.stack([(products - mean * sums) * inverse, sums])
            # over all processes the loss is a sum; DDP makes the mean of it
            along, level = _of_all(own).sum(dim=0) / (maps.numel() / len(mean) * _processes())
            scale = weight * inverse
            slope = -along * scale * inverse
            shift = -level * scale - slope * mean
            to_maps = moved_gradient(gradient, maps, scale[None], slope[None], shift[None])
        return to_maps, own[0], own[1], None


def _processes() -> int:
    started = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_world_size() if started else 1


def _of_all(values: Tensor) -> Tensor:
    """The values of all processes, one after the other along a new first axis."""
    shares = [torch.empty_like(values) for _ in range(_processes())]
    torch.distributed.all_gather(shares, values.contiguous())
    return torch.stack(shares)
