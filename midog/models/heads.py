"""RetinaNet's head: torchvision's own, with any number of convolutions before its outputs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.ops.misc import Conv2dNormActivation

from midog.norms import GroupNorm

GROUPS = 32
"""Of the head's group norms; the channels are a multiple of it."""

TORCHVISION_CONVS = 4


def make_head(
    channels: int, anchors: int, outputs: int, convs: int = TORCHVISION_CONVS
) -> RetinaNetHead:
    """Make the head of `retinanet_resnet50_fpn_v2`, with its names, first weights and GIoU loss.

    Args:
        channels: of the pyramid and of every convolution, a multiple of GROUPS.
        anchors: per place of a map.
        outputs: logits per anchor, K + 1.
        convs: convolutions in each of the two branches; torchvision has 4.
    """
    norm = partial(GroupNorm, GROUPS)
    head = RetinaNetHead(channels, anchors, outputs, norm_layer=norm)
    head.regression_head._loss_type = "giou"  # torchvision's v2 sets it the same way
    if convs != TORCHVISION_CONVS:
        for branch in (head.classification_head, head.regression_head):
            branch.conv = _convolutions(channels, convs, norm)
    return head


def _convolutions(channels: int, count: int, norm: Callable[[int], nn.Module]) -> nn.Sequential:
    stack = nn.Sequential(
        *(Conv2dNormActivation(channels, channels, norm_layer=norm) for _ in range(count))
    )
    for layer in stack.modules():
        if isinstance(layer, nn.Conv2d):  # without a bias: a norm follows
            nn.init.normal_(layer.weight, std=0.01)
    return stack
