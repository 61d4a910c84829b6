"""Norms that keep bfloat16 and channels-last memory, with statistics in float32."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class GroupNorm(nn.GroupNorm):
    """torch's group norm (Wu & He 2018, arXiv:1803.08494), on CUDA in the memory that it is given.

    torch's own copies channels-last maps there to NCHW and, under autocast, to float32, and so does
    all that follows. On other devices, and where it is compiled, this is torch's own.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise (B, C, H, W) of any float dtype; the result has its dtype and memory format."""
        if not suits(maps):
            return super().forward(maps)
        return group_norm(maps, self.num_groups, self.weight, self.bias, self.eps)


def suits(maps: Tensor) -> bool:
    """Whether `group_norm` is the faster one: it moves fewer bytes on a GPU."""
    return (
        maps.is_cuda
        and maps.is_contiguous(memory_format=torch.channels_last)
        and not torch.compiler.is_compiling()
    )


def group_norm(maps: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Normalise each image's groups of channels.

    Args:
        maps: (B, C, H, W) of any float dtype and memory format, which the result has as well.
        groups: G; C is a multiple of it.
        weight: (C,), as is `bias`.
        eps: Added to the variance.
    """
    result: Tensor = _GroupNorm.apply(maps, groups, weight, bias, eps)
    return result


def scale_and_shift(maps: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Multiply and add in one pass, in float32 inside, in the maps' dtype and memory outside.

    Args:
        maps: (B, C, H, W).
        scale: (B or 1, C) float32, as is `shift`.
    """
    out = torch.empty_like(maps)
    torch.addcmul(shift[:, :, None, None], maps, scale[:, :, None, None], out=out)
    return out


def channel_sums(gradient: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    """Sum the gradient, and its products with the maps, over the places of each channel.

    Args:
        gradient: (B, C, H, W), as are the maps.

    Returns:
        Two (B, C) float32.
    """
    zero = torch.zeros(1, 1, 1, 1, device=maps.device)  # float32, and so are the products
    products = torch.addcmul(zero, gradient, maps)
    return gradient.sum(dim=(2, 3), dtype=torch.float32), products.sum(dim=(2, 3))


def moved_gradient(
    gradient: Tensor, maps: Tensor, scale: Tensor, slope: Tensor, shift: Tensor
) -> Tensor:
    """gradient * scale + maps * slope + shift, rounded once.

    Args:
        gradient: (B, C, H, W), as are the maps.
        scale: (B or 1, C) float32, as are `slope` and `shift`.
    """
    part = torch.addcmul(shift[:, :, None, None], maps, slope[:, :, None, None])
    out = torch.empty_like(maps)
    torch.addcmul(part, gradient, scale[:, :, None, None], out=out)
    return out


class _GroupNorm(torch.autograd.Function):
    """Keeps the maps as they are for its gradient, and the statistics."""

    @staticmethod
    def forward(
        ctx: Any, maps: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float
    ) -> Tensor:
        with torch.autocast(maps.device.type, enabled=False):
            batch, channels = maps.shape[:2]
            variance, mean = torch.var_mean(
                torch.unflatten(maps.float(), 1, (groups, -1)), dim=(2, 3, 4), correction=0
            )
            inverse = (variance + eps).rsqrt()
            scale = _to_channels(inverse, channels) * weight.float()
            shift = bias.float() - _to_channels(mean, channels) * scale
            ctx.save_for_backward(maps, weight, mean, inverse)
            ctx.groups = groups
            return scale_and_shift(maps, scale.view(batch, channels), shift)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        maps, weight, mean, inverse = ctx.saved_tensors
        with torch.autocast(maps.device.type, enabled=False):
            channels, count = maps.shape[1], maps[0].numel() / ctx.groups
            sums, products = channel_sums(gradient, maps)
            of_channel, inverse_of_channel = (
                _to_channels(values, channels) for values in (mean, inverse)
            )
            normalised = (products - of_channel * sums) * inverse_of_channel
            to_weight, to_bias = normalised.sum(dim=0), sums.sum(dim=0)
            along, level = (
                torch.unflatten(values * weight.float(), 1, (ctx.groups, -1)).sum(dim=2) / count
                for values in (normalised, sums)
            )
            slope = -along * inverse.square()
            shift = -level * inverse - slope * mean
            to_maps = moved_gradient(
                gradient,
                maps,
                inverse_of_channel * weight.float(),
                _to_channels(slope, channels),
                _to_channels(shift, channels),
            )
        return to_maps, None, to_weight.to(weight.dtype), to_bias.to(weight.dtype), None


def _to_channels(values: Tensor, channels: int) -> Tensor:
    """Values (B, G) of groups, (B, channels)."""
    return values.repeat_interleave(channels // values.shape[1], dim=1)
