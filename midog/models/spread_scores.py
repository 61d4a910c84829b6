"""Scores of an untrained RetinaNet spread over [0, 1], for benchmarks of detection."""

from __future__ import annotations

import torch
from torch import Tensor

from midog.models.retinanet import RetinaNet

_LOGITS_SD = 4.0
"""Standard deviation of the logits: most scores are near 0, few so close to a limit that rounding
decides, none is 1."""


@torch.no_grad()
def spread_scores(network: RetinaNet, images: Tensor, share: float) -> None:
    """Set the last layer of a network with random weights so that it detects something.

    Args:
        network: In eval mode; it is changed.
        images: (B, 3, H, W) float32 in [0, 1], of the kind that it will be shown.
        share: Of the anchors, in (0, 1), that score over 0.5 in these images.
    """
    head = network.head.classification_head
    last, outputs = head.cls_logits, head.num_classes
    levels: list[Tensor] = []
    hook = last.register_forward_hook(lambda module, inputs, output: levels.append(output))
    network.candidates(images, 0.5)
    hook.remove()
    # a level is (B, anchors of a place * outputs, H, W), the outputs of an anchor in a row
    logits = torch.cat(
        [torch.unflatten(level, 1, (-1, outputs))[:, :, 1:].flatten() for level in levels]
    )
    gain = _LOGITS_SD / float(logits.std())
    last.weight *= gain
    bias = last.bias.view(-1, outputs)
    bias[:, 1:] = gain * (bias[:, 1:] - float(logits.quantile(1 - share)))
    bias[:, 0] = -100.0  # it means nothing, but torchvision would report it as class 0
