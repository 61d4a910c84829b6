"""DETECTORS: the one entry of each holds all that is known of it; BACKBONES are theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from midog.models.backbone_registry import (
    BACKBONES,
    BackboneEntry,
    BackboneSettings,
    ResNetSettings,
    TimmSettings,
    build_backbone,
    require,
)
from midog.models.detector_settings import (
    CentroidSettings,
    DetectorSettings,
    FasterRCNNSettings,
    FCOSSettings,
    RetinaNetSettings,
    UNetSettings,
)

if TYPE_CHECKING:
    from torch import Tensor

    from midog.models.centre_detector import CentreDetector
    from midog.models.centroid import Centroid
    from midog.models.faster_rcnn import FasterRCNN
    from midog.models.fcos import FCOS
    from midog.models.protocol import DetectionNetwork
    from midog.models.retinanet import RetinaNet
    from midog.models.unet import UNet

__all__ = [
    "BACKBONES",
    "DETECTORS",
    "BackboneEntry",
    "BackboneSettings",
    "CentroidSettings",
    "DetectorEntry",
    "DetectorSettings",
    "FCOSSettings",
    "FasterRCNNSettings",
    "ResNetSettings",
    "RetinaNetSettings",
    "TimmSettings",
    "UNetSettings",
    "build_backbone",
    "build_detector",
]

_WEIGHTS = "https://download.pytorch.org/models/"

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
        coco: URL of weights trained on COCO by the kind of backbone, or a function that gives them
            for its settings.
        needs: A package that it imports and midog does not always install; empty: none.
        spread: Sets the last layer of a network with random weights so that in such images
            (B, 3, H, W) this share of its anchors scores over 0.5, for `midog bench`; None: the
            bench detects with whatever random weights give.
        no_onnx: Why its network cannot be written as ONNX; empty: it can.
    """

    about: str
    settings: type[OfDetector]
    build: Callable[[OfDetector, int, float], OfNetwork]
    coco: Mapping[str, str] | Callable[[OfDetector], Mapping[str, str]] = field(
        default_factory=dict
    )
    needs: str = ""
    spread: Callable[[OfNetwork, Tensor, float], None] | None = None
    no_onnx: str = ""


def _build_retinanet(
    settings: RetinaNetSettings, num_classes: int, magnification: float
) -> RetinaNet:
    from midog.models.losses import Focal
    from midog.models.pyramid import BACKBONE_LEVELS
    from midog.models.retinanet import RetinaNet

    return RetinaNet(
        build_backbone(settings.backbone, min(len(settings.anchor_sizes), BACKBONE_LEVELS)),
        num_classes,
        anchor_sizes=settings.anchor_sizes,
        anchor_ratios=settings.anchor_ratios,
        channels=settings.pyramid_channels,
        head_convs=settings.head_convs,
        head_norm=settings.head_norm,
        pyramid_norm=settings.pyramid_norm,
        prior=settings.prior,
        loss_normalizer=settings.loss_normalizer,
        focal=Focal(settings.focal_alpha, settings.focal_gamma),
        magnification=magnification,
        nms_iou=settings.nms_iou,
        max_detections=settings.max_detections,
    )


def _build_centroid(settings: CentroidSettings, num_classes: int, magnification: float) -> Centroid:
    from midog.models.centroid import Centroid

    assert settings.figure_px, "at_mpp settles it"
    return Centroid(
        build_backbone(settings.backbone, settings.maps),
        num_classes,
        figure_px=settings.figure_px,
        stride=settings.stride,
        channels=settings.channels,
        loss=settings.loss,
        magnification=magnification,
        nms_iou=settings.nms_iou,
        max_detections=settings.max_detections,
    )


def _build_unet(settings: UNetSettings, num_classes: int, magnification: float) -> UNet:
    from midog.models.unet import UNet

    assert settings.figure_px, "at_mpp settles it"
    return UNet(
        build_backbone(settings.backbone, settings.maps),
        num_classes,
        figure_px=settings.figure_px,
        stride=settings.cell_px,
        width=settings.width,
        loss=settings.loss,
        magnification=magnification,
        nms_iou=settings.nms_iou,
        max_detections=settings.max_detections,
    )


def _build_fcos(settings: FCOSSettings, num_classes: int, magnification: float) -> FCOS:
    from midog.models.fcos import FCOS
    from midog.models.pyramid import BACKBONE_LEVELS

    return FCOS(
        build_backbone(settings.backbone, min(settings.levels, BACKBONE_LEVELS)),
        num_classes,
        levels=settings.levels,
        channels=settings.pyramid_channels,
        head_convs=settings.head_convs,
        center_radius=settings.center_radius,
        magnification=magnification,
        nms_iou=settings.nms_iou,
        max_detections=settings.max_detections,
    )


def _build_faster_rcnn(
    settings: FasterRCNNSettings, num_classes: int, magnification: float
) -> FasterRCNN:
    from midog.models.faster_rcnn import FasterRCNN
    from midog.models.pyramid import BACKBONE_LEVELS

    return FasterRCNN(
        build_backbone(settings.backbone, min(len(settings.anchor_sizes), BACKBONE_LEVELS)),
        num_classes,
        anchor_sizes=settings.anchor_sizes,
        anchor_ratios=settings.anchor_ratios,
        channels=settings.pyramid_channels,
        version=settings.version,
        width=settings.box_width,
        proposals=settings.proposals,
        rpn_samples=settings.rpn_samples,
        box_samples=settings.box_samples,
        magnification=magnification,
        nms_iou=settings.nms_iou,
        max_detections=settings.max_detections,
    )


def _faster_rcnn_coco(settings: FasterRCNNSettings) -> dict[str, str]:
    of_version = {1: "fpn_coco-258fb6c6", 2: "fpn_v2_coco-dd69338a"}
    return {"resnet50": f"{_WEIGHTS}fasterrcnn_resnet50_{of_version[settings.version]}.pth"}


def _spread_centres(network: CentreDetector, images: Tensor, share: float) -> None:
    from midog.models.spread_scores import spread_centres

    spread_centres(network, images, share)


def _spread(network: RetinaNet | FCOS, images: Tensor, share: float) -> None:
    from midog.models.spread_scores import spread_scores

    spread_scores(network, images, share)


def _spread_boxes(network: FasterRCNN, images: Tensor, share: float) -> None:
    from midog.models.spread_scores import spread_box_scores

    spread_box_scores(network, images, share)


DETECTORS: dict[str, DetectorEntry[Any, Any]] = {
    "retinanet": DetectorEntry(
        "one-stage detector with anchors on a feature pyramid (Lin et al. 2017)",
        RetinaNetSettings,
        _build_retinanet,
        coco={"resnet50": f"{_WEIGHTS}retinanet_resnet50_fpn_v2_coco-5905b1c5.pth"},
        spread=_spread,
    ),
    "fcos": DetectorEntry(
        "one-stage detector without anchors (Tian et al. 2019)",
        FCOSSettings,
        _build_fcos,
        coco={"resnet50": f"{_WEIGHTS}fcos_resnet50_fpn_coco-99b0c9b7.pth"},
        spread=_spread,
    ),
    "faster_rcnn": DetectorEntry(
        "two-stage detector: proposals, then a class for each (Ren et al. 2015)",
        FasterRCNNSettings,
        _build_faster_rcnn,
        coco=_faster_rcnn_coco,
        spread=_spread_boxes,
        no_onnx="how many boxes its second stage sees depends on the image",
    ),
    "centroid": DetectorEntry(
        "map of figures' centres on a light network (after Zhou et al. 2019)",
        CentroidSettings,
        _build_centroid,
        spread=_spread_centres,
    ),
    "unet": DetectorEntry(
        "map of figures' centres at the image's resolution or half of it: a U-Net"
        " (Ronneberger et al. 2015)",
        UNetSettings,
        _build_unet,
        spread=_spread_centres,
    ),
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
    require(entry.needs, f"model.kind={settings.kind}")
    network: DetectionNetwork = entry.build(settings, num_classes, magnification)
    return network
