"""Anchors of a grid of maps, made once per size of image and device, then reused."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.models.detection.anchor_utils import AnchorGenerator

KEPT = 4
"""Sizes of image whose anchors are kept: of training patches and of tiles of a few sizes."""


class Anchors(AnchorGenerator):  # type: ignore[misc]  # torchvision is untyped
    """torchvision's anchors, in float32 whatever the features' precision.

    What is kept is no part of the state dict.

    Args:
        sizes: sides in px, a tuple per level.
        ratios: height / width, the same on every level.
    """

    def __init__(self, sizes: tuple[tuple[float, ...], ...], ratios: tuple[float, ...]) -> None:
        super().__init__(sizes, (ratios,) * len(sizes))
        self.kept: OrderedDict[tuple[object, ...], tuple[Tensor, list[Tensor]]] = OrderedDict()

    def of(self, features: Sequence[Tensor], size: Sequence[int]) -> tuple[Tensor, list[Tensor]]:
        """Lay out the anchors of images of one size.

        Args:
            features: the maps (B, C, h, w) of every level.
            size: (height, width) of the images, px.

        Returns:
            Anchors (A, 4) float32 px of all levels in a row, and the same by level (views).
        """
        grids = [(int(level.shape[-2]), int(level.shape[-1])) for level in features]
        key = (*grids, tuple(size), features[0].device)
        if key not in self.kept:
            self.kept[key] = self._make(grids, (int(size[0]), int(size[1])), features[0].device)
            if len(self.kept) > KEPT:
                self.kept.popitem(last=False)
        self.kept.move_to_end(key)
        return self.kept[key]

    # anchors made in inference mode serve training later: they must not be inference tensors
    @torch.inference_mode(False)
    def _make(
        self, grids: list[tuple[int, int]], size: tuple[int, int], device: torch.device
    ) -> tuple[Tensor, list[Tensor]]:
        self.set_cell_anchors(torch.float32, device)
        # As torchvision: the stride of a map is whole image / map, which differs from 2 ** level
        # where a map's side was rounded up (P6 and P7 of images whose sides 128 does not divide).
        strides = [(size[0] // height, size[1] // width) for height, width in grids]
        levels = self.grid_anchors(grids, strides)
        every = torch.cat(levels)
        return every, list(torch.split(every, [len(level) for level in levels]))
