"""How images are shown to a network: normalised, magnified, padded; and the way back of boxes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import clip_boxes_to_image

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_SD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, eq=False)
class Framed:
    """A batch as the layers see it, and how boxes get into its px and back.

    Attributes:
        images: (B, 3, H', W') float32, normalised, magnified and padded.
        size: (height, width) px of the images that were given.
        shown: (height, width) px of these images once magnified, before padding.
    """

    images: Tensor
    size: tuple[int, int]
    shown: tuple[int, int]

    def boxes_in(self, boxes: Tensor) -> Tensor:
        """Boxes (…, 4) px of the given images, in px as the layers see them."""
        return scale_boxes(boxes, self._across, self._down)

    def boxes_out(self, boxes: Tensor) -> Tensor:
        """Boxes (…, 4) px as the layers see them, in px of the given images and clipped to them."""
        given = scale_boxes(boxes, 1 / self._across, 1 / self._down)
        clipped: Tensor = clip_boxes_to_image(given, self.size)
        return clipped

    def points_out(self, points: Tensor) -> Tensor:
        """Points (…, 2) `x y` px as the layers see them, in px of the given images."""
        return points / points.new_tensor([self._across, self._down])

    @property
    def _across(self) -> float:
        return self.shown[1] / self.size[1]

    @property
    def _down(self) -> float:
        return self.shown[0] / self.size[0]


class Frame(nn.Module):
    """Shows images to a network; it has no weights and no entry in the state dict.

    Args:
        magnification: factor by which every image is enlarged, whatever its size.
        multiple: the padded sides are multiples of this, px.
        mean: of the colours R, G, B in [0, 1] that normalisation subtracts.
        sd: of the same colours, by which normalisation divides.
    """

    mean: Tensor
    sd: Tensor

    def __init__(
        self,
        magnification: float = 1.0,
        multiple: int = 32,
        mean: tuple[float, float, float] = IMAGENET_MEAN,
        sd: tuple[float, float, float] = IMAGENET_SD,
    ) -> None:
        super().__init__()
        self.magnification = magnification
        self.multiple = multiple
        # buffers, so that they are on the device already when a batch comes
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("sd", torch.tensor(sd).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Framed:
        """Show images (B, 3, H, W) float32 RGB in [0, 1], of any H and W."""
        shown = magnify((images - self.mean) / self.sd, self.magnification)
        return Framed(
            pad_to_multiple(shown, self.multiple), _height_width(images), _height_width(shown)
        )


def magnify(images: Tensor, factor: float) -> Tensor:
    """Enlarge images (B, 3, H, W) float by a factor, bilinearly; those of factor 1 are returned."""
    if factor == 1:
        return images
    return F.interpolate(images, scale_factor=factor, mode="bilinear", recompute_scale_factor=True)


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Pad (B, 3, H, W) with zeros, the mean colour, at the right and the bottom."""
    height, width = _height_width(images)
    below, right = -height % multiple, -width % multiple
    return F.pad(images, (0, right, 0, below)) if below or right else images


def scale_boxes(boxes: Tensor, x: float, y: float) -> Tensor:
    """Scale boxes (…, 4): x1 and x2 times `x`, y1 and y2 times `y`."""
    if x == y == 1:
        return boxes
    x1, y1, x2, y2 = boxes.unbind(-1)
    return torch.stack([x1 * x, y1 * y, x2 * x, y2 * y], dim=-1)


def _height_width(images: Tensor) -> tuple[int, int]:
    height, width = images.shape[-2:]
    return int(height), int(width)
