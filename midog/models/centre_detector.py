"""What detectors of centres share: one map is scored, and its peaks are the figures."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Self

import torch
from torch import Tensor, nn

from midog.models.centre_maps import MapLoss, centre_targets, find_peaks, map_loss
from midog.models.detection_copy import detection_copy
from midog.models.frame import Frame, Framed
from midog.models.postprocess import PER_LEVEL, suppress
from midog.models.protocol import (
    Backbone,
    BoxTargets,
    Candidates,
    DetectionNetwork,
    ImageDetections,
)

BODY_STRIDE = 8
"""Of the finest map of a backbone."""
PRIOR = 0.01
"""First score of every cell, as in RetinaNet."""


class CentreDetector(DetectionNetwork):
    """Scores every cell of one map as the centre of a figure (Zhou et al. 2019, arXiv:1904.07850).

    A network gives the map, in `scored`; its layer `scores` is the last.

    Args:
        body: the backbone.
        figure_px: side of the boxes that are reported, px of the images.
        stride: of the map, px as the layers see them.
        loss: what the map is taught, and how; see `map_loss`.
        magnification: factor by which every image is enlarged, whatever its size.
        nms_iou: boxes of a class that overlap more than this are one.
        max_detections: most detections per image.
    """

    body_name = "body"
    head_name = "scores"
    scores: nn.Conv2d

    def __init__(
        self,
        body: Backbone,
        *,
        figure_px: float,
        stride: int,
        loss: MapLoss,
        magnification: float,
        nms_iou: float,
        max_detections: int,
    ) -> None:
        super().__init__()
        self.body = body
        self.frame = Frame(magnification, mean=body.mean, sd=body.sd)
        self.figure_px, self.stride, self.loss = figure_px, stride, loss
        self.nms_iou, self.max_detections = nms_iou, max_detections
        self._dtype = torch.float32

    @abstractmethod
    def scored(self, images: Tensor) -> Tensor:
        """Score framed images (B, 3, H, W) in the layers' dtype.

        Returns:
            Logits (B, K, H / stride, W / stride) float32.
        """

    def forward(self, images: Tensor, targets: BoxTargets) -> dict[str, Tensor]:
        """Compute the loss "centres"; see `DetectionNetwork.forward`."""
        framed, logits = self._see(images)
        shown = BoxTargets(
            boxes=framed.boxes_in(targets["boxes"]),
            labels=targets["labels"],
            ignore=framed.boxes_in(targets["ignore"]),
        )
        batch, classes, height, width = logits.shape
        wanted = centre_targets(
            (batch, classes, height, width), self.stride, shown, framed.shown, self.loss
        )
        return {"centres": map_loss(logits, wanted, self.loss)}

    def candidates(self, images: Tensor, floor: float) -> Candidates:
        """Propose the highest peaks, in boxes of a figure's size; see `DetectionNetwork`.

        Where the image ends within such a box, the box is smaller on both sides, so that its centre
        stays.
        """
        framed, logits = self._see(images)
        peaks = find_peaks(logits, self.stride, PER_LEVEL)
        height, width = framed.size
        sizes = peaks.centres.new_tensor([width, height])
        centres = framed.points_out(peaks.centres)
        centres = torch.minimum(centres.clamp(min=0.5), sizes - 0.5)
        half = torch.minimum(centres, sizes - centres).clamp(max=self.figure_px / 2)
        boxes = torch.cat([centres - half, centres + half], dim=-1)
        return Candidates(boxes, peaks.scores.where(peaks.scores > floor, 0), peaks.labels)

    def detections(self, images: Tensor, floor: float) -> list[ImageDetections]:
        """Detect figures by class-wise suppression; see `DetectionNetwork.detections`."""
        return suppress(self.candidates(images, floor), self.nms_iou, self.max_detections)

    def features(self, images: Tensor) -> list[Tensor]:
        """Compute the backbone's own maps; see `DetectionNetwork.features`."""
        maps: list[Tensor] = self.body(self.frame(images).images.to(self._dtype))
        return maps

    def for_detection(self, dtype: torch.dtype) -> Self:
        """Copy the network with BatchNorm merged; see `DetectionNetwork.for_detection`."""
        copied = detection_copy(self, dtype, float32_layers=("scores",))
        copied._dtype = dtype
        return copied

    def _see(self, images: Tensor) -> tuple[Framed, Tensor]:
        """The framed images, and their map (B, K, h, w) of float32 logits."""
        framed: Framed = self.frame(images)
        return framed, self.scored(framed.images.to(self._dtype))


def score_layer(channels: int, outputs: int) -> nn.Conv2d:
    """Make the last layer of a map, a convolution of 1 x 1 that first scores PRIOR everywhere."""
    layer = nn.Conv2d(channels, outputs, 1)
    nn.init.normal_(layer.weight, std=0.01)
    assert layer.bias is not None
    nn.init.constant_(layer.bias, -math.log((1 - PRIOR) / PRIOR))
    return layer
