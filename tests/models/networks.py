"""Networks that tests of models and inference share."""

from __future__ import annotations

import copy
from typing import Any, Self

import torch
from torch import Tensor, nn

from midog.models.frame import Frame
from midog.models.postprocess import suppress
from midog.models.protocol import Backbone, BoxTargets, DetectionNetwork, ImageDetections
from midog.models.pyramid import BACKBONE_LEVELS, FeaturePyramid
from midog.models.registry import DETECTORS, ResNetSettings, build_backbone
from midog.models.retinanet import RetinaNet

LEAN = {
    "pyramid_channels": 32,
    "head_convs": 1,
    "version": 1,
    "box_width": 32,
    "proposals": 50,
    "channels": 32,
    "width": 4,
    "rpn_samples": 64,
    "box_samples": 64,
}
"""Settings with which a test costs little, of the detectors that have them."""


def lean(kind: str) -> dict[str, Any]:
    """The section `model` of a detector of the registry that costs little."""
    fields = DETECTORS[kind].settings.model_fields
    own = {name: value for name, value in LEAN.items() if name in fields}
    return {"kind": kind, "backbone": "resnet18", "weights": "none", **own}


def body(backbone: str = "resnet18", levels: int = 5, unfrozen_layers: int = 5) -> Backbone:
    settings = ResNetSettings(kind=backbone, unfrozen_layers=unfrozen_layers)
    return build_backbone(settings, min(levels, BACKBONE_LEVELS))


def pyramid(
    backbone: str = "resnet18", levels: int = 5, unfrozen_layers: int = 5
) -> FeaturePyramid:
    return FeaturePyramid(body(backbone, levels, unfrozen_layers), levels)


def retinanet(
    backbone: str, num_classes: int, *, anchor_sizes: Any, unfrozen_layers: int = 5, **settings: Any
) -> RetinaNet:
    return RetinaNet(
        body(backbone, len(anchor_sizes), unfrozen_layers),
        num_classes,
        anchor_sizes=anchor_sizes,
        **settings,
    )


def share_over_a_half(network: RetinaNet, images: Tensor) -> float:
    """Share of the anchors that score over 0.5 in images (B, 3, H, W) float32 in [0, 1]."""
    seen: list[Tensor] = []
    hook = network.head.classification_head.register_forward_hook(
        lambda module, inputs, output: seen.append(output)
    )
    with torch.inference_mode():
        network.candidates(images, 0.5)
    hook.remove()
    return float((seen[0][..., 1:] > 0).float().mean())


class NamedMaps(nn.Module):
    """Our pyramid as torchvision's detectors want it: named maps and out_channels."""

    def __init__(self, pyramid: nn.Module, channels: int) -> None:
        super().__init__()
        self.pyramid, self.out_channels = pyramid, channels

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {str(i): level for i, level in enumerate(self.pyramid(images))}


class CandidatesAlone(DetectionNetwork):
    """A network of which only `candidates` is asked; the rest is what follows from it."""

    def __init__(self) -> None:
        super().__init__()
        self.frame = Frame()

    def forward(self, images: Tensor, targets: BoxTargets) -> dict[str, Tensor]:
        raise NotImplementedError

    def detections(self, images: Tensor, floor: float) -> list[ImageDetections]:
        return suppress(self.candidates(images, floor), 0.2, 300)

    def features(self, images: Tensor) -> list[Tensor]:
        raise NotImplementedError

    def for_detection(self, dtype: torch.dtype) -> Self:
        return copy.deepcopy(self).eval()

    def compile_parts(self) -> None:
        raise NotImplementedError
