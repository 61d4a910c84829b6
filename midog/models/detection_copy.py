"""Copies of networks for detection alone: BatchNorm merged into convolutions, coarser weights."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Network = TypeVar("Network", bound=nn.Module)


def detection_copy(
    network: Network, dtype: torch.dtype, *, float32_layers: Collection[str] = ()
) -> Network:
    """Copy a network, which stays as it is, for inference.

    Args:
        network: any network.
        dtype: of the copy's convolutions and group norms; all else keeps its dtype.
        float32_layers: names (the last part alone) of convolutions that take and give float32
            whatever `dtype` is: bfloat16 has too few digits to tell scores apart.

    Returns:
        The copy, in eval mode, channels-last, without gradients, its BatchNorm merged.
    """
    detecting = merge_batchnorm(network)
    for module in detecting.modules():
        if isinstance(module, nn.Conv2d | nn.GroupNorm):
            module.to(dtype)
    if dtype != torch.float32:
        for parent in list(detecting.modules()):
            for name in float32_layers:
                if isinstance(layer := getattr(parent, name, None), nn.Conv2d):
                    setattr(parent, name, nn.Sequential(_Float32(), layer.float()))
    return detecting.to(memory_format=torch.channels_last)


def merge_batchnorm(network: Network) -> Network:
    """Copy a network in eval mode with convolutions that do the work of the BatchNorm behind them.

    Pairs are recognised by torchvision's names (conv1 and bn1) and, in a Sequential, by their
    order; another BatchNorm stays, and so does every one in a backbone whose names say nothing
    (`named_norms`). The outputs are the same but for float32 rounding.
    """
    merged = copy.deepcopy(network).eval().requires_grad_(False)
    left = {
        module
        for backbone in merged.modules()
        if not getattr(backbone, "named_norms", True)
        for module in backbone.modules()
    }
    for parent in [module for module in merged.modules() if module not in left]:
        children = dict(parent.named_children())
        for name, norm in children.items():
            if not isinstance(norm, nn.BatchNorm2d):
                continue
            before = str(int(name) - 1) if name.isdigit() else name.replace("bn", "conv")
            if isinstance(convolution := children.get(before), nn.Conv2d):
                setattr(parent, before, fuse_conv_bn_eval(convolution, norm))
                setattr(parent, name, nn.Identity())
    return merged


class _Float32(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.float()
