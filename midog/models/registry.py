"""BACKBONES and DETECTORS: the one entry of each holds all that is known of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

from pydantic import Field, SerializeAsAny, model_validator

from midog.config.settings import KindSettings, by_kind
from midog.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from midog.models.protocol import Backbone, DetectionNetwork
    from midog.models.retinanet import RetinaNet

_WEIGHTS = "https://download.pytorch.org/models/"
_MOST_ANCHORS = 64


class BackboneSettings(KindSettings):
    """Settings that every backbone has."""


class ResNetSettings(BackboneSettings):
    """Settings of torchvision's ResNets."""

    unfrozen_layers: int = Field(
        5, ge=0, le=5, description="backbone stages that are trained, counted from the top"
    )


OfBackbone = TypeVar("OfBackbone", bound=BackboneSettings)


@dataclass(frozen=True)
class BackboneEntry(Generic[OfBackbone]):
    """A backbone.

    Args:
        about: Its words for help and listings; starts with a noun.
        settings: The class of its section `model.backbone`.
        build: Builds it, with random weights, from its settings and the number of maps wanted: 1 to
            3, of strides 8, 16 and 32.
        imagenet: URL of weights trained on ImageNet with the backbone's names; empty: none.
        needs: A package that it imports and midog does not always install; empty: none.
    """

    about: str
    settings: type[OfBackbone]
    build: Callable[[OfBackbone, int], Backbone]
    imagenet: str = ""
    needs: str = ""


def _build_resnet(settings: ResNetSettings, maps: int) -> Backbone:
    from torchvision import models

    from midog.models.backbones import ResNetBody

    makers = {
        "resnet18": models.resnet18,
        "resnet34": models.resnet34,
        "resnet50": models.resnet50,
    }
    return ResNetBody(makers[settings.kind], settings.unfrozen_layers, maps)


BACKBONES: dict[str, BackboneEntry[Any]] = {
    "resnet18": BackboneEntry(
        "ResNet-18, for machines without a GPU",
        ResNetSettings,
        _build_resnet,
        imagenet=f"{_WEIGHTS}resnet18-f37072fd.pth",
    ),
    "resnet34": BackboneEntry(
        "ResNet-34", ResNetSettings, _build_resnet, imagenet=f"{_WEIGHTS}resnet34-b627a593.pth"
    ),
    "resnet50": BackboneEntry(
        "ResNet-50, of the reference study",
        ResNetSettings,
        _build_resnet,
        imagenet=f"{_WEIGHTS}resnet50-0676ba61.pth",  # torchvision's own detectors start from it
    ),
}
"""The backbones by name. A further one is a file and an entry here."""


def build_backbone(settings: BackboneSettings, maps: int) -> Backbone:
    """Build a backbone with random weights, drawn from torch's global generator.

    Args:
        settings: Of any kind in BACKBONES.
        maps: 1 to 3, how many maps it returns: of strides 8, 16 and 32.

    Raises:
        ConfigError: If it needs a package that is not installed.
    """
    entry = BACKBONES[settings.kind]
    _require(entry.needs, f"model.backbone.kind={settings.kind}")
    return entry.build(settings, maps)


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
        None,
        ge=64,
        le=8192,
        description="side in px at which the network sees a patch; null: its own",
    )
    nms_iou: float = Field(
        0.2, ge=0, le=1, description="boxes that overlap by more than this are one figure"
    )
    max_detections: int = Field(300, ge=1, le=100_000, description="most detections kept per tile")

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
        ratios, most = self.anchor_ratios, _MOST_ANCHORS
        if not 0 < len(ratios) * len(sizes[0]) <= most:
            raise ValueError(f"anchor_sizes times anchor_ratios need 1 to {most} anchors per place")
        if not all(1 <= side <= 8192 for level in sizes for side in level):
            raise ValueError("anchor_sizes need sides of 1 to 8192 px")
        if not all(0.01 <= ratio <= 100 for ratio in ratios):
            raise ValueError("anchor_ratios need numbers from 0.01 to 100")
        return self


OfDetector = TypeVar("OfDetector", bound=DetectorSettings)
OfNetwork = TypeVar("OfNetwork", bound="DetectionNetwork")


@dataclass(frozen=True)
class DetectorEntry(Generic[OfDetector, OfNetwork]):
    """A detector.

    Args:
        about: Its words for help and listings; starts with a noun.
        settings: The class of its section `model`.
        build: Builds it, with random weights, from its settings, the number of foreground classes
            and the factor by which it magnifies images.
        coco: URL of weights trained on COCO by the kind of backbone.
        needs: A package that it imports and midog does not always install; empty: none.
        spread: Sets the last layer of a network with random weights so that in such images
            (B, 3, H, W) this share of its anchors scores over 0.5, for `midog bench`; None: the
            bench detects with whatever random weights give.
    """

    about: str
    settings: type[OfDetector]
    build: Callable[[OfDetector, int, float], OfNetwork]
    coco: Mapping[str, str] = field(default_factory=dict)
    needs: str = ""
    spread: Callable[[OfNetwork, Tensor, float], None] | None = None


def _build_retinanet(
    settings: RetinaNetSettings, num_classes: int, magnification: float
) -> RetinaNet:
    from midog.models.pyramid import BACKBONE_LEVELS
    from midog.models.retinanet import RetinaNet

    return RetinaNet(
        build_backbone(settings.backbone, min(len(settings.anchor_sizes), BACKBONE_LEVELS)),
        num_classes,
        anchor_sizes=settings.anchor_sizes,
        anchor_ratios=settings.anchor_ratios,
        channels=settings.pyramid_channels,
        head_convs=settings.head_convs,
        magnification=magnification,
        nms_iou=settings.nms_iou,
        max_detections=settings.max_detections,
    )


def _spread_retinanet(network: RetinaNet, images: Tensor, share: float) -> None:
    from midog.models.spread_scores import spread_scores

    spread_scores(network, images, share)


DETECTORS: dict[str, DetectorEntry[Any, Any]] = {
    "retinanet": DetectorEntry(
        "one-stage detector with anchors on a feature pyramid (Lin et al. 2017)",
        RetinaNetSettings,
        _build_retinanet,
        coco={"resnet50": f"{_WEIGHTS}retinanet_resnet50_fpn_v2_coco-5905b1c5.pth"},
        spread=_spread_retinanet,
    )
}
"""The detectors by name. A further one is a file and an entry here."""


def build_detector(
    settings: DetectorSettings, num_classes: int, magnification: float
) -> DetectionNetwork:
    """Build a detector with random weights, drawn from torch's global generator.

    Args:
        settings: Of any kind in DETECTORS.
        num_classes: Foreground classes K; labels are 1 to K.
        magnification: Factor by which it magnifies every image.

    Raises:
        ConfigError: If it, or its backbone, needs a package that is not installed.
    """
    entry = DETECTORS[settings.kind]
    _require(entry.needs, f"model.kind={settings.kind}")
    network: DetectionNetwork = entry.build(settings, num_classes, magnification)
    return network


def _require(package: str, what: str) -> None:
    if package and find_spec(package) is None:
        raise ConfigError(f"{what} needs {package}, which is not installed", f"install {package}")
