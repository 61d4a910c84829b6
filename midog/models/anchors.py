"""Anchors of a grid of maps, made once per size of image and device and kept for the next step."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.models.detection.anchor_utils import AnchorGenerator

KEPT = 4
"""Sizes of image whose anchors are kept: training patches, their last batch, tiles of a few
sizes."""


class Anchors(AnchorGenerator):  # type: ignore[misc]  # torchvision is untyped
    """torchvision's anchors, in float32 whatever the features' precision. What is kept is no part
    of the state dict."""

    def __init__(self, sizes: tuple[tuple[float, ...], ...], ratios: tuple[float, ...]) -> None:
        super().__init__(sizes, (ratios,) * len(sizes))
        self.kept: OrderedDict[tuple[object, ...], tuple[Tensor, list[Tensor]]] = OrderedDict()

    def of(self, features: Sequence[Tensor], size: Sequence[int]) -> tuple[Tensor, list[Tensor]]:
        """Anchors (A, 4) float32 px of all levels in a row, and the same by level (views), for
        images of this (height, width) with these maps."""
        grids = [(int(each.shape[-2]), int(each.shape[-1])) for each in features]
        key = (*grids, tuple(size), features[0].device)
        if key not in self.kept:
            self.kept[key] = self._make(grids, (int(size[0]), int(size[1])), features[0].device)
            if len(self.kept) > KEPT:
                self.kept.popitem(last=False)
        self.kept.move_to_end(key)
        return self.kept[key]

    # made while detecting, they may be used to learn from: they must not be tensors of the
    # inference mode
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
