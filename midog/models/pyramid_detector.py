"""What detectors on a feature pyramid share: frame, suppression, features, the copy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Self

import torch
from torch import Tensor

from midog.models.detection_copy import detection_copy
from midog.models.frame import Frame
from midog.models.postprocess import suppress
from midog.models.protocol import DetectionNetwork, ImageDetections
from midog.models.pyramid import FeaturePyramid

_OLD_BLOCK = re.compile(r"(fpn\.(?:inner|layer)_blocks\.\d+)\.(weight|bias)$")


class PyramidDetector(DetectionNetwork):
    """A detector that stands on a pyramid over a backbone of the registry.

    Args:
        pyramid: its maps are what the detector sees.
        magnification: factor by which every image is enlarged, whatever its size.
        nms_iou: boxes of a class that overlap more than this are one.
        max_detections: most detections per image.

    Attributes:
        float32_layers: names of the convolutions whose outputs are scores and boxes.
    """

    body_name = "backbone.body"
    head_name = "head"
    float32_layers: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        pyramid: FeaturePyramid,
        *,
        magnification: float = 1.0,
        nms_iou: float = 0.2,
        max_detections: int = 300,
    ) -> None:
        super().__init__()
        self.backbone = pyramid
        self.frame = Frame(magnification, mean=pyramid.body.mean, sd=pyramid.body.sd)
        self.nms_iou = nms_iou
        self.max_detections = max_detections
        self._dtype = torch.float32

    def detections(self, images: Tensor, floor: float) -> list[ImageDetections]:
        """Detect figures by class-wise suppression; see `DetectionNetwork.detections`."""
        return suppress(self.candidates(images, floor), self.nms_iou, self.max_detections)

    def features(self, images: Tensor) -> list[Tensor]:
        """Compute the backbone's own maps, below the pyramid; see `DetectionNetwork.features`."""
        maps: list[Tensor] = self.backbone.body(self.frame(images).images.to(self._dtype))
        return maps

    def for_detection(self, dtype: torch.dtype) -> Self:
        """Copy the network with BatchNorm merged; see `DetectionNetwork.for_detection`."""
        copied = detection_copy(self, dtype, float32_layers=self.float32_layers)
        copied._dtype = dtype
        return copied

    def own_names(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the pyramid of torchvision's older files; see `DetectionNetwork.own_names`."""
        return {_OLD_BLOCK.sub(r"\1.0.\2", name): value for name, value in state.items()}
