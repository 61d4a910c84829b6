"""A U-Net: a detector of centres whose map has the resolution of the image, or half of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from midog.models.centre_detector import BODY_STRIDE, CentreDetector, score_layer
from midog.models.centre_maps import MapLoss
from midog.models.protocol import Backbone


class UNet(CentreDetector):
    """Scores every px, or every 2 x 2 px, as the centre of a figure.

    The U-Net of Ronneberger et al. (2015, arXiv:1505.04597): a contracting path, and an expanding
    one that meets each of its maps again. A backbone of the registry is the contracting path from
    stride 8 on; above it stand pairs of 3 x 3 convolutions, `width` channels at stride 1 and twice
    as many at each further one. Other than there, convolutions are padded, BatchNorm follows each,
    and maps are enlarged to their nearest place behind a convolution of 1 x 1.

    Args:
        body: the backbone; all maps that it returns are used.
        num_classes: foreground classes K; labels are 1 to K.
        figure_px: side of the boxes that are reported, px of the images.
        stride: of the map, px as the layers see them: 1 or 2.
        width: channels at stride 1; at stride 8 and more there are 8 times as many.
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
        stride: int = 2,
        width: int = 16,
        loss: MapLoss = "focal",
        magnification: float = 1.0,
        nms_iou: float = 0.2,
        max_detections: int = 300,
    ) -> None:
        assert stride in (1, 2), stride
        super().__init__(
            body,
            figure_px=figure_px,
            stride=stride,
            loss=loss,
            magnification=magnification,
            nms_iou=nms_iou,
            max_detections=max_detections,
        )
        fine = [own for own in (1, 2, 4) if own >= stride]
        widths = [width * own for own in fine]
        self.contracting = Contracting(widths, stride)
        deep = width * BODY_STRIDE
        self.expanding = Expanding(
            [*widths, *body.channels], [*widths, *[deep] * (len(body.channels) - 1)]
        )
        self.scores = score_layer(widths[0], num_classes)

    def scored(self, images: Tensor) -> Tensor:
        """Score framed images; see `CentreDetector.scored`."""
        maps = [*self.contracting(images), *self.body(images)]
        logits: Tensor = self.scores(self.expanding(maps))
        return logits.float()

    def compile_parts(self) -> None:
        """Have the backbone and both paths compiled at their next use."""
        for part in (self.body, self.contracting, self.expanding):
            part.compile(dynamic=False)


class Contracting(nn.Module):
    """Maps of an image at strides from `stride` to 4, each half as large as the one before.

    Args:
        widths: channels of the maps, finest first.
        stride: of the finest map, px.
    """

    def __init__(self, widths: list[int], stride: int) -> None:
        super().__init__()
        inputs = [3, *widths[:-1]]
        self.levels = nn.ModuleList(
            two_convolutions(before, own, stride if level == 0 else 1)
            for level, (before, own) in enumerate(zip(inputs, widths, strict=True))
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the maps of images (B, 3, H, W), normalised, finest first."""
        maps: list[Tensor] = []
        for level in self.levels:
            maps.append(level(F.max_pool2d(maps[-1], 2) if maps else images))
        return maps


class Expanding(nn.Module):
    """Joins maps from the coarsest to the finest.

    Args:
        inputs: channels of the maps that come, finest first.
        widths: channels that each of them but the coarsest has once joined.
    """

    def __init__(self, inputs: list[int], widths: list[int]) -> None:
        super().__init__()
        below = [*widths[1:], inputs[-1]]
        self.ups = nn.ModuleList(
            nn.Conv2d(coarse, own, 1) for coarse, own in zip(below, widths, strict=True)
        )
        self.joins = nn.ModuleList(
            two_convolutions(skipped + own, own)
            for skipped, own in zip(inputs[:-1], widths, strict=True)
        )

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Join maps, finest first; (B, widths[0], h, w) of the finest one's size."""
        return self.every(maps)[0]

    def every(self, maps: list[Tensor]) -> list[Tensor]:
        """Join maps, finest first; what each but the coarsest has become, in the same order."""
        joined = [maps[-1]]
        for level in reversed(range(len(self.joins))):
            finer, below = maps[level], self.ups[level](joined[0])
            enlarged = F.interpolate(below, size=finer.shape[-2:], mode="nearest")
            joined.insert(0, self.joins[level](torch.cat([finer, enlarged], dim=1)))
        return joined[:-1]


def two_convolutions(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Return two convolutions of 3 x 3, the first of that stride, each with BatchNorm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )
