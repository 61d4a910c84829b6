"""The feature pyramid over any backbone, from P3 (stride 8) up."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops.feature_pyramid_network import (
    ExtraFPNBlock,
    FeaturePyramidNetwork,
    LastLevelP6P7,
)

from midog.models.protocol import Backbone

TORCHVISION_CHANNELS = 256
MAX_LEVELS = 5
BACKBONE_LEVELS = 3
"""P3, P4 and P5 are made of the backbone's maps, P6 and P7 of the last one."""

Top = Literal["c5", "p5", "pooled"]
"""What P6 and P7 are: strided convolutions of the backbone's coarsest map (torchvision's RetinaNet
v2) or of P5 (its FCOS), or every second place of P5 (its Faster R-CNN)."""


class FeaturePyramid(nn.Module):
    """A feature pyramid (Lin et al. 2017, arXiv:1612.03144) with torchvision's names and weights.

    The pyramid itself always learns.

    Args:
        body: returns min(levels, 3) maps.
        levels: 1 to 5, how many maps from P3 up.
        channels: of every map.
        norm: makes the norm behind each convolution of P3 to P5, as nn.BatchNorm2d in torchvision's
            Faster R-CNN v2; None: there is none, as in its other detectors. P6 and P7 have none.
        top: what P6 and P7 are made of.
    """

    def __init__(
        self,
        body: Backbone,
        levels: int = MAX_LEVELS,
        channels: int = TORCHVISION_CHANNELS,
        norm: Callable[[int], nn.Module] | None = None,
        *,
        top: Top = "c5",
    ) -> None:
        super().__init__()
        assert 1 <= levels <= MAX_LEVELS, levels
        assert len(body.channels) == min(levels, BACKBONE_LEVELS), body.channels
        self.body = body
        self.fpn = FeaturePyramidNetwork(
            list(body.channels),
            channels,
            extra_blocks=_extra_levels(levels, body.channels[-1], channels, top),
            norm_layer=norm,
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the pyramid's maps.

        Args:
            images: (B, 3, H, W) float, normalised; H and W are multiples of 32.

        Returns:
            Maps (B, channels, H / 8, W / 8), … / 16, … of every level, sides rounded up.
        """
        named = OrderedDict((f"c{number}", own) for number, own in enumerate(self.body(images), 3))
        return list(self.fpn(named).values())


class LastLevelP6(ExtraFPNBlock):  # type: ignore[misc]  # torchvision is untyped
    """P6 alone, of C5 or P5: torchvision's LastLevelP6P7 without its P7."""

    def __init__(self, in_channels: int, out_channels: int, of_p5: bool = False) -> None:
        super().__init__()
        self.of_p5 = of_p5
        self.p6 = nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=2, padding=1)
        nn.init.kaiming_uniform_(self.p6.weight, a=1)
        assert self.p6.bias is not None
        nn.init.zeros_(self.p6.bias)

    def forward(
        self, p: list[Tensor], c: list[Tensor], names: list[str]
    ) -> tuple[list[Tensor], list[str]]:
        """Append P6 to the maps `p` and to their names."""
        return [*p, self.p6((p if self.of_p5 else c)[-1])], [*names, "p6"]


class PooledLevels(ExtraFPNBlock):  # type: ignore[misc]
    """P6, or P6 and P7, as every second place of the map below: torchvision's LastLevelMaxPool."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(
        self, p: list[Tensor], c: list[Tensor], names: list[str]
    ) -> tuple[list[Tensor], list[str]]:
        """Append the maps to `p` and to their names."""
        maps = [*p]
        for _ in range(self.count):
            maps.append(F.max_pool2d(maps[-1], kernel_size=1, stride=2))
        return maps, [*names, "p6", "p7"][: len(maps)]


def _extra_levels(levels: int, coarsest: int, channels: int, top: Top) -> nn.Module | None:
    """The block that makes P6 and P7, of a backbone whose last map has `coarsest` channels."""
    if levels <= BACKBONE_LEVELS:
        return None
    if top == "pooled":
        return PooledLevels(levels - BACKBONE_LEVELS)
    below = channels if top == "p5" else coarsest
    if levels < MAX_LEVELS:
        return LastLevelP6(below, channels, of_p5=top == "p5")
    block: nn.Module = LastLevelP6P7(below, channels)  # of P5 where the channels are equal
    return block
