"""The section `model` of every kind of detector."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, SerializeAsAny, model_validator

from midog.config.settings import KindSettings, by_kind
from midog.models.backbone_registry import BACKBONES, BackboneSettings, ResNetSettings

_MOST_ANCHORS = 64

Norm = Literal["group", "batch", "none"]
LossNormalizer = Literal["image", "batch", "running_mean"]

FIGURE_UM = 12.5
"""Side of a figure's box, um: MIDOG's 50 px of 0.25 um."""

PyramidChannels = Annotated[
    int,
    Field(
        ge=32,
        le=1024,
        multiple_of=32,
        description="channels of the feature pyramid and of the head",
    ),
]
HeadConvs = Annotated[
    int, Field(ge=1, le=8, description="convolutions in each of the head's two branches")
]

Maps = Annotated[
    int,
    Field(ge=1, le=3, description="maps of the backbone that are used, from stride 8 up"),
]
CentreLoss = Annotated[
    Literal["focal", "disc_focal", "tversky"],
    Field(
        description="focal: Gaussians about the centres; disc_focal: discs, by a focal loss;"
        " tversky: discs, by a focal Tversky loss over the batch",
    ),
]


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

    def at_mpp(self, mpp: float) -> Self:
        """These settings with lengths that follow the um/px of the images settled in px."""
        return self


class AnchorSettings(DetectorSettings):
    """Settings of detectors with anchors."""

    anchor_sizes: tuple[tuple[float, ...], ...] = Field(
        ((40, 50, 63), (56, 71, 90), (80, 101, 127), (160, 202, 254), (320, 403, 508)),
        description="anchor sides in px, a list per level from P3 (stride 8) up, 1 to 5 levels",
    )
    anchor_ratios: tuple[float, ...] = Field((1.0,), description="height / width of the anchors")

    @model_validator(mode="after")
    def _anchors(self) -> AnchorSettings:
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


class RetinaNetSettings(AnchorSettings):
    """Settings of RetinaNet."""

    pyramid_channels: PyramidChannels = 256
    head_convs: HeadConvs = 4
    head_norm: Norm = Field(
        "group",
        description="norm in the head; group: of each whole tile, so that scores depend on the"
        " tile; batch: running statistics; none",
    )
    pyramid_norm: Norm = Field("none", description="norm in the feature pyramid")
    prior: float = Field(
        0.01, gt=0, lt=1, description="score that every anchor has before training"
    )
    loss_normalizer: LossNormalizer = Field(
        "image",
        description="what loss sums are divided by; image: each image's positive anchors; batch:"
        " those of the batch; running_mean: their running mean",
    )
    focal_alpha: float = Field(
        0.25, gt=0, lt=1, description="weight of figures in the focal loss; background has 1 - it"
    )
    focal_gamma: float = Field(
        2.0, ge=0, le=10, description="focal loss: how much less sure anchors count; 0: not at all"
    )


class FCOSSettings(DetectorSettings):
    """Settings of FCOS."""

    levels: int = Field(
        5, ge=1, le=5, description="levels of the feature pyramid, from P3 (stride 8) up"
    )
    pyramid_channels: PyramidChannels = 256
    head_convs: HeadConvs = 4
    center_radius: float = Field(
        1.5,
        gt=0,
        le=8,
        description="distance from a figure's centre up to which a place learns it, in strides of"
        " its level",
    )


class FasterRCNNSettings(AnchorSettings):
    """Settings of Faster R-CNN."""

    pyramid_channels: PyramidChannels = 256
    version: int = Field(
        2,
        ge=1,
        le=2,
        description="torchvision's network (1: two linear layers for a proposal; 2: four"
        " convolutions with BatchNorm, ten times the work)",
    )
    box_width: int = Field(
        1024, ge=16, le=4096, description="width of the linear layers for a proposal"
    )
    proposals: int = Field(
        1000,
        ge=1,
        le=10_000,
        description="proposals per tile that are classified; training draws from twice as many",
    )
    rpn_samples: int = Field(
        256, ge=2, le=100_000, description="anchors per patch that proposals are learned from"
    )
    box_samples: int = Field(
        512, ge=4, le=10_000, description="proposals per patch that classes are learned from"
    )


class CentreSettings(DetectorSettings):
    """Settings of detectors of centres."""

    figure_px: float | None = Field(
        None,
        gt=0,
        le=8192,
        description="side of the boxes that are reported, px; null: 12.5 um at data.mpp",
    )

    def at_mpp(self, mpp: float) -> Self:
        """These settings with the side of the boxes in px."""
        return self.model_copy(update={"figure_px": self.figure_px or FIGURE_UM / mpp})


class CentroidSettings(CentreSettings):
    """Settings of the map of centres."""

    stride: Literal[4, 8] = Field(4, description="side of a cell of the map, px")
    maps: Maps = 2
    channels: int = Field(
        64, ge=8, le=1024, description="channels of the layers between backbone and map"
    )
    loss: CentreLoss = "focal"


class UNetSettings(CentreSettings):
    """Settings of the U-Net."""

    cell_px: Literal[1, 2] = Field(2, description="side of a cell of the U-Net's map, px")
    maps: Maps = 3
    width: int = Field(
        16,
        ge=4,
        le=256,
        description="channels at the image's own resolution; twice as many at each half of it,"
        " to 8 times",
    )
    loss: CentreLoss = "focal"
