"""A dense detector of centres: one map of a light network, whose peaks are the figures."""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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

_PRIOR = 0.01  # first score of every cell, as in RetinaNet


class Centroid(DetectionNetwork):
    """Scores every cell of one map as the centre of a figure (Zhou et al. 2019, arXiv:1904.07850).

    The backbone's maps are added up from the coarsest to the finest, of stride 8; a stride of 4 is
    had by scoring four parts of each cell (Shi et al. 2016, arXiv:1609.05158). Its own norms are
    BatchNorm: scores do not depend on how much of an image a tile shows.

    Args:
        body: the backbone; all maps that it returns are used.
        num_classes: foreground classes K; labels are 1 to K.
        figure_px: side of the boxes that are reported, px of the images.
        stride: of the map, px as the layers see them: 4 or 8.
        channels: of the layers between backbone and map.
        loss: what the map is taught, and how; see `map_loss`.
        magnification: factor by which every image is enlarged, whatever its size.
        nms_iou: boxes of a class that overlap more than this are one.
        max_detections: most detections per image.
    """

    body_name = "body"
    head_name = "scores"

    def __init__(
        self,
        body: Backbone,
        num_classes: int,
        *,
        figure_px: float,
        stride: int = 4,
        channels: int = 64,
        loss: MapLoss = "focal",
        magnification: float = 1.0,
        nms_iou: float = 0.2,
        max_detections: int = 300,
    ) -> None:
        super().__init__()
        assert stride in (4, BODY_STRIDE), stride
        self.body = body
        self.laterals = nn.ModuleList(_conv_norm(width, channels, 1) for width in body.channels)
        self.merge = nn.Sequential(
            *_conv_norm(channels, channels, 3), nn.ReLU(), *_conv_norm(channels, channels, 3),
            nn.ReLU(),
        )  # fmt: skip
        self.parts = BODY_STRIDE // stride
        self.scores = nn.Conv2d(channels, num_classes * self.parts**2, 1)
        nn.init.normal_(self.scores.weight, std=0.01)
        assert self.scores.bias is not None
        nn.init.constant_(self.scores.bias, -math.log((1 - _PRIOR) / _PRIOR))
        self.frame = Frame(magnification, mean=body.mean, sd=body.sd)
        self.figure_px, self.stride, self.loss = figure_px, stride, loss
        self.nms_iou, self.max_detections = nms_iou, max_detections
        self._dtype = torch.float32

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

    def compile_parts(self) -> None:
        """Have the backbone and the layers behind it compiled at their next use."""
        self.body.compile(dynamic=False)
        self.merge.compile(dynamic=False)

    def _see(self, images: Tensor) -> tuple[Framed, Tensor]:
        """The framed images, and their map (B, K, h, w) of float32 logits."""
        framed: Framed = self.frame(images)
        maps = [
            lateral(own)
            for lateral, own in zip(
                self.laterals, self.body(framed.images.to(self._dtype)), strict=True
            )
        ]
        merged = maps.pop()
        while maps:
            finer = maps.pop()
            merged = finer + F.interpolate(merged, size=finer.shape[-2:], mode="nearest")
        return framed, F.pixel_shuffle(self.scores(self.merge(F.relu(merged))).float(), self.parts)


def _conv_norm(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )
