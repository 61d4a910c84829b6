"""Backbones and detectors by name: their settings, words for the help, what they need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, SerializeAsAny, model_validator

from midog.config.settings import KindSettings, by_kind


class BackboneSettings(KindSettings):
    """Settings that every backbone has."""


class ResNetSettings(BackboneSettings):
    """Settings of torchvision's ResNets."""

    unfrozen_layers: int = Field(
        5, ge=0, le=5, description="backbone stages that are trained, counted from the top"
    )


@dataclass(frozen=True)
class BackboneEntry:
    """A backbone.

    Args:
        about: Its words for help and listings.
        settings: The class of its section `model.backbone`.
    """

    about: str
    settings: type[BackboneSettings]


BACKBONES: dict[str, BackboneEntry] = {
    "resnet18": BackboneEntry("ResNet-18, for machines without a GPU", ResNetSettings),
    "resnet34": BackboneEntry("ResNet-34", ResNetSettings),
    "resnet50": BackboneEntry("ResNet-50, of the reference study", ResNetSettings),
}


class DetectorSettings(KindSettings):
    """Settings that every detector has."""

    kind: str = "retinanet"
    backbone: Annotated[
        SerializeAsAny[BackboneSettings], by_kind(lambda: BACKBONES, "resnet50")
    ] = Field(ResNetSettings(kind="resnet50"), description="network that the detector stands on")
    weights: str = Field(
        "coco", description="initial weights: coco, imagenet, none, or a file (.safetensors, .pth)"
    )
    resize: int | None = Field(
        None, ge=64, description="side in px at which the network sees a patch; null: its own"
    )
    nms_iou: float = Field(
        0.2, ge=0, le=1, description="boxes that overlap by more than this are one figure"
    )
    max_detections: int = Field(300, ge=1, description="most detections kept per tile")

    def magnification(self, patch_size: int) -> float:
        """How many times larger than it is the network sees an image, tiles like patches."""
        return self.resize / patch_size if self.resize else 1.0


class RetinaNetSettings(DetectorSettings):
    """Settings of RetinaNet."""

    anchor_sizes: tuple[tuple[float, ...], ...] = Field(
        ((40, 50, 63), (56, 71, 90), (80, 101, 127), (160, 202, 254), (320, 403, 508)),
        description="anchor sides in px, a list per level from P3 (stride 8) up, 1 to 5 levels",
    )
    anchor_ratios: tuple[float, ...] = Field((1.0,), description="height / width of the anchors")
    pyramid_channels: int = Field(
        256,
        ge=32,
        le=1024,
        multiple_of=32,
        description="channels of the feature pyramid and of the head",
    )
    head_convs: int = Field(
        4, ge=1, le=8, description="convolutions in each of the head's two branches"
    )

    @model_validator(mode="after")
    def _anchors(self) -> RetinaNetSettings:
        sizes = self.anchor_sizes
        if not 1 <= len(sizes) <= 5 or len({len(level) for level in sizes}) != 1 or not sizes[0]:
            raise ValueError("anchor_sizes needs 1 to 5 lists (P3 to P7) of equal, non-zero length")
        if not self.anchor_ratios or min(self.anchor_ratios) <= 0 or min(map(min, sizes)) <= 0:
            raise ValueError("anchor_sizes and anchor_ratios need positive numbers")
        return self


@dataclass(frozen=True)
class DetectorEntry:
    """A detector.

    Args:
        about: Its words for help and listings.
        settings: The class of its section `model`.
    """

    about: str
    settings: type[DetectorSettings]


DETECTORS: dict[str, DetectorEntry] = {
    "retinanet": DetectorEntry(
        "one-stage detector with anchors on a feature pyramid (Lin et al. 2017)", RetinaNetSettings
    )
}
