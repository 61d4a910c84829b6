"""Scores of an untrained detector spread over [0, 1], for benchmarks of detection."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from midog.models.centre_detector import CentreDetector
from midog.models.faster_rcnn import FasterRCNN
from midog.models.fcos import FCOS
from midog.models.protocol import DetectionNetwork
from midog.models.retinanet import RetinaNet

_LOGITS_SD = 4.0
"""Standard deviation of the logits: most scores are near 0, few so close to a limit that rounding
decides, none is 1."""

_SILENT = -100.0  # logit of class 0: it means nothing, but torchvision would report it


@torch.no_grad()
def spread_scores(network: RetinaNet | FCOS, images: Tensor, share: float) -> None:
    """Set the last layer of a network with random weights so that it detects something.

    Args:
        network: In eval mode; it is changed.
        images: (B, 3, H, W) float32 in [0, 1], of the kind that it will be shown.
        share: Of the anchors, in (0, 1), that score over 0.5 in these images.
    """
    head = network.head.classification_head
    last, outputs = head.cls_logits, head.num_classes
    # a level is (B, anchors of a place * outputs, H, W), the outputs of an anchor in a row
    levels = [
        torch.unflatten(level, 1, (-1, outputs))[:, :, 1:]
        for level in _outputs_of(last, network, images)
    ]
    gain = _LOGITS_SD / float(torch.cat([level.flatten() for level in levels]).std())
    needed = [torch.zeros_like(level) for level in levels]
    if isinstance(network, FCOS):  # a score is a root: class times centerness must be over 1/4
        centered = _outputs_of(network.head.regression_head.bbox_ctrness, network, images)
        needed = [
            (0.25 / own[:, :, None].sigmoid()).clamp(max=1 - 1e-6).logit().expand_as(level)
            for own, level in zip(centered, levels, strict=True)
        ]
    short = [gain * level - want for level, want in zip(levels, needed, strict=True)]
    last.weight *= gain
    bias = last.bias.view(-1, outputs)
    shift = float(torch.cat([own.flatten() for own in short]).quantile(1 - share))
    bias[:, 1:] = gain * bias[:, 1:] - shift
    bias[:, 0] = _SILENT


@torch.no_grad()
def spread_centres(network: CentreDetector, images: Tensor, share: float) -> None:
    """Do the same to a map of centres: this share of its cells scores over 0.5.

    Args:
        network: As for `spread_scores`.
        images: As for `spread_scores`.
        share: Of the cells, in (0, 1).
    """
    last = network.scores
    (logits,) = _outputs_of(last, network, images)
    gain = _LOGITS_SD / float(logits.std())
    last.weight *= gain
    assert last.bias is not None
    last.bias *= gain
    last.bias -= gain * float(logits.flatten().quantile(1 - share))


@torch.no_grad()
def spread_box_scores(network: FasterRCNN, images: Tensor, share: float) -> None:
    """Do the same to a detector with two stages: as many proposals score over 0.5.

    Args:
        network: As for `spread_scores`.
        images: As for `spread_scores`.
        share: Of the anchors; half of the proposals where there are no more.
    """
    last: Any = network.roi_heads["box_predictor"].cls_score
    first: Any = network.rpn["head"].cls_logits
    anchors = sum(level.numel() for level in _outputs_of(first, network, images))
    logits = torch.cat(_outputs_of(last, network, images))
    gain = _LOGITS_SD / float(logits[:, 1:].std())
    count = min(share * anchors, len(logits) / 2)
    last.weight[0], last.bias[0] = 0, 0
    last.weight[1:] *= gain
    scaled = gain * logits[:, 1:]
    last.bias[1:] = gain * last.bias[1:] + _bias_for(scaled, count)


def _bias_for(logits: Tensor, count: float) -> float:
    """The number to add to logits (P, K) so that `count` rows have a class over half.

    The background's logit is 0. The more is added, the more rows have one.
    """
    low, high = -1000.0, 1000.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        moved = torch.cat([torch.zeros_like(logits[:, :1]), logits + middle], dim=1)
        over = (moved.softmax(dim=1)[:, 1:] > 0.5).any(dim=1).sum()
        low, high = (low, middle) if over > count else (middle, high)
    return (low + high) / 2


def _outputs_of(layer: nn.Module, network: DetectionNetwork, images: Tensor) -> list[Tensor]:
    """What a layer gives at every call while the network looks at images."""
    outputs: list[Tensor] = []
    hook = layer.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    network.candidates(images, 0.5)
    hook.remove()
    return outputs
