"""A copy of a network for detection alone: BatchNorm folded into the convolutions, weights as
precise as asked for."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

_OUTPUTS = ("cls_logits", "bbox_reg")  # the last convolutions of the head


def for_detection(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy of `model`, which stays as it is: in eval mode, folded, channels-last, without
    gradients.

    dtype: of the convolutions and norms. The head's outputs are float32 whatever it is: bfloat16
    has too few digits to tell scores apart. What else the model holds keeps its dtype.
    """
    detecting = fold_batchnorm(model)
    for module in detecting.modules():
        if isinstance(module, nn.Conv2d | nn.GroupNorm):
            module.to(dtype)
    if dtype != torch.float32:
        for parent in list(detecting.modules()):
            for name in _OUTPUTS:
                if isinstance(output := getattr(parent, name, None), nn.Conv2d):
                    setattr(parent, name, nn.Sequential(_Float32(), output.float()))
    return detecting.to(memory_format=torch.channels_last)


def fold_batchnorm(model: nn.Module) -> nn.Module:
    """A copy of `model` in eval mode whose convolutions do the work of the BatchNorm behind them,
    float32 alike.

    Pairs are recognised by torchvision's names (conv1 and bn1) and, in a Sequential, by their
    order.
    """
    folded = copy.deepcopy(model).eval().requires_grad_(False)
    for parent in list(folded.modules()):
        children = dict(parent.named_children())
        for name, norm in children.items():
            if not isinstance(norm, nn.BatchNorm2d):
                continue
            before = str(int(name) - 1) if name.isdigit() else name.replace("bn", "conv")
            if isinstance(convolution := children.get(before), nn.Conv2d):
                setattr(parent, before, fuse_conv_bn_eval(convolution, norm))
                setattr(parent, name, nn.Identity())
    return folded


class _Float32(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.float()
