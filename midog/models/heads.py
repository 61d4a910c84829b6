"""RetinaNet's head: torchvision's own, with any number of convolutions and other norms."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.ops.misc import Conv2dNormActivation

from midog.models.detector_settings import Norm
from midog.norms import GroupNorm

GROUPS = 32
"""Of group norms; the channels are a multiple of it."""

TORCHVISION_CONVS = 4
TORCHVISION_PRIOR = 0.01


def norm_layer(norm: Norm) -> Callable[[int], nn.Module] | None:
    """Return what makes a norm of so many channels; None for 'none'.

    'group' has statistics of each whole image: what a place gives depends on what lies anywhere in
    its tile. 'batch' has, in eval mode, running statistics of the training alone.
    """
    if norm == "group":
        return partial(GroupNorm, GROUPS)
    return nn.BatchNorm2d if norm == "batch" else None


def make_head(
    channels: int,
    anchors: int,
    outputs: int,
    convs: int = TORCHVISION_CONVS,
    norm: Norm = "group",
    prior: float = TORCHVISION_PRIOR,
) -> RetinaNetHead:
    """Make the head of `retinanet_resnet50_fpn_v2`, with its names, first weights and GIoU loss.

    Args:
        channels: of the pyramid and of every convolution; a multiple of GROUPS for 'group'.
        anchors: per place of a map.
        outputs: logits per anchor, K + 1.
        convs: convolutions in each of the two branches; torchvision has 4.
        norm: behind each of them; 'none' is the head of torchvision's `retinanet_resnet50_fpn`.
        prior: score of every anchor at the start, in (0, 1); torchvision has 0.01.
    """
    layer = norm_layer(norm)
    kind = JointlyNormedHead if norm == "batch" else RetinaNetHead
    head = kind(channels, anchors, outputs, norm_layer=layer)
    head.regression_head._loss_type = "giou"  # torchvision's v2 sets it the same way
    if convs != TORCHVISION_CONVS:
        for branch in (head.classification_head, head.regression_head):
            branch.conv = _convolutions(channels, convs, layer)
    if prior != TORCHVISION_PRIOR:
        nn.init.constant_(head.classification_head.cls_logits.bias, math.log(prior / (1 - prior)))
    return head


class JointlyNormedHead(RetinaNetHead):  # type: ignore[misc]  # torchvision is untyped
    """A head whose BatchNorm sees, in training, the places of all levels as one batch.

    The branches are shared by the levels, so their running statistics are too: level by level they
    would be of whatever level came last, and not what training normalised by.
    """

    def forward(self, maps: list[Tensor]) -> dict[str, Tensor]:
        """Return "cls_logits" (B, A, K + 1) and "bbox_regression" (B, A, 4) of maps."""
        scores, boxes = self.classification_head, self.regression_head
        return {
            "cls_logits": _rows(_branch(scores.conv, maps), scores.cls_logits, scores.num_classes),
            "bbox_regression": _rows(_branch(boxes.conv, maps), boxes.bbox_reg, 4),
        }


def _branch(stack: nn.Sequential, maps: list[Tensor]) -> list[Tensor]:
    """The maps behind the convolutions, norms and activations of a branch."""
    for block in stack:
        convolution, *others = block.children()
        maps = [convolution(level) for level in maps]
        maps = _jointly(others, maps) if stack.training else [_each(others, m) for m in maps]
    return maps


def _jointly(layers: list[nn.Module], maps: list[Tensor]) -> list[Tensor]:
    """The maps behind layers that see the places of all of them, (B, C, places, 1), at once."""
    flat = [level.permute(0, 2, 3, 1).flatten(1, 2) for level in maps]  # B, places, C
    together = _each(layers, torch.cat(flat, dim=1).transpose(1, 2)[..., None])
    parts = torch.split(together.squeeze(-1), [places.shape[1] for places in flat], dim=2)
    return [
        torch.unflatten(part, 2, level.shape[-2:]) for part, level in zip(parts, maps, strict=True)
    ]


def _each(layers: list[nn.Module], x: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x


def _rows(maps: list[Tensor], last: nn.Module, outputs: int) -> Tensor:
    """What the last convolution gives, a row of `outputs` for each anchor, levels in a row."""
    levels = [last(level).permute(0, 2, 3, 1) for level in maps]
    return torch.cat([level.reshape(len(level), -1, outputs) for level in levels], dim=1)


def _convolutions(
    channels: int, count: int, norm: Callable[[int], nn.Module] | None
) -> nn.Sequential:
    stack = nn.Sequential(
        *(Conv2dNormActivation(channels, channels, norm_layer=norm) for _ in range(count))
    )
    for layer in stack.modules():
        if isinstance(layer, nn.Conv2d):  # has no bias where a norm follows
            nn.init.normal_(layer.weight, std=0.01)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return stack
