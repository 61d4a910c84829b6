"""A dense detector of centres: one map of a light network, whose peaks are the figures."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from midog.models.centre_detector import BODY_STRIDE, CentreDetector, score_layer
from midog.models.centre_maps import MapLoss
from midog.models.protocol import Backbone


class Centroid(CentreDetector):
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
        assert stride in (4, BODY_STRIDE), stride
        super().__init__(
            body,
            figure_px=figure_px,
            stride=stride,
            loss=loss,
            magnification=magnification,
            nms_iou=nms_iou,
            max_detections=max_detections,
        )
        self.laterals = nn.ModuleList(_conv_norm(width, channels, 1) for width in body.channels)
        self.merge = nn.Sequential(
            *_conv_norm(channels, channels, 3), nn.ReLU(), *_conv_norm(channels, channels, 3),
            nn.ReLU(),
        )  # fmt: skip
        self.parts = BODY_STRIDE // stride
        self.scores = score_layer(channels, num_classes * self.parts**2)

    def compile_parts(self) -> None:
        """Have the backbone and the layers behind it compiled at their next use."""
        self.body.compile(dynamic=False)
        self.merge.compile(dynamic=False)

    def scored(self, images: Tensor) -> Tensor:
        """Score framed images; see `CentreDetector.scored`."""
        maps = [lateral(own) for lateral, own in zip(self.laterals, self.body(images), strict=True)]
        merged = maps.pop()
        while maps:
            finer = maps.pop()
            merged = finer + F.interpolate(merged, size=finer.shape[-2:], mode="nearest")
        return F.pixel_shuffle(self.scores(self.merge(F.relu(merged))).float(), self.parts)


def _conv_norm(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )
