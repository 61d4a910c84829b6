"""A detector with random weights that detects something: a few locations score over 0.5."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from midog.augment.on_device import to_float
from midog.config.schema import RunConfig
from midog.models.build import build_model, num_classes
from midog.models.protocol import DetectionNetwork

_LOGITS_SD = 4.0
"""Standard deviation of the logits: most scores are near 0, few so close to a limit that rounding
decides, none is 1."""


@torch.no_grad()
def random_detector(
    config: RunConfig, pixels: NDArray[np.uint8], *, share: float = 3e-4, seed: int = 0
) -> DetectionNetwork:
    """Make the config's network in eval mode, with weights that detect in images like `pixels`.

    Args:
        config: Of the network.
        pixels: (B, S, S, 3) uint8, from which the BatchNorm statistics are computed.
        share: Of the anchors that score over 0.5.
        seed: Of the weights.
    """
    torch.manual_seed(seed)
    model: Any = build_model(config, pretrained=False)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the statistics of this one batch, not a tenth of them
    images = to_float(torch.from_numpy(pixels))
    model.train().candidates(images, 0.5)
    last, classes = model.head.classification_head.cls_logits, num_classes(config.sampling) + 1
    seen: list[Tensor] = []
    hook = last.register_forward_hook(lambda module, inputs, output: seen.append(output))
    model.eval().candidates(images, 0.5)
    hook.remove()
    logits = torch.cat([_by_class(output, classes)[:, :, 1:].flatten() for output in seen])
    gain = _LOGITS_SD / float(logits.std())
    last.weight *= gain
    bias = last.bias.view(-1, classes)
    bias[:, 1:] = gain * (bias[:, 1:] - float(logits.quantile(1 - share)))
    bias[:, 0] = -100.0  # it means nothing, but torchvision would report it as class 0
    return model  # type: ignore[no-any-return]


def _by_class(output: Tensor, classes: int) -> Tensor:
    """(B, anchors of a place, classes, H, W) of a level's (B, anchors of a place * classes, H,
    W)."""
    return torch.unflatten(output, 1, (-1, classes))
