"""The feature pyramid over any backbone, from P3 (stride 8) up."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor, nn
from torchvision.ops.feature_pyramid_network import (
    ExtraFPNBlock,
    FeaturePyramidNetwork,
    LastLevelP6P7,
)

from midog.models.protocol import Backbone

TORCHVISION_CHANNELS = 256
MAX_LEVELS = 5
BACKBONE_LEVELS = 3
"""P3, P4 and P5 are made of the backbone's maps, P6 and P7 of its last one."""


class FeaturePyramid(nn.Module):
    """A feature pyramid (Lin et al. 2017, arXiv:1612.03144) with torchvision's names and weights.

    P6 and P7 are strided convolutions of the backbone's coarsest map, as in torchvision's
    retinanet_resnet50_fpn_v2. The pyramid itself always learns.

    Args:
        body: returns min(levels, 3) maps.
        levels: 1 to 5, how many maps from P3 up.
        channels: of every map.
        norm: makes the norm behind each convolution of the levels; None: there is none, as in
            torchvision. P6 and P7 have none.
    """

    def __init__(
        self,
        body: Backbone,
        levels: int = MAX_LEVELS,
        channels: int = TORCHVISION_CHANNELS,
        norm: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        assert 1 <= levels <= MAX_LEVELS, levels
        assert len(body.channels) == min(levels, BACKBONE_LEVELS), body.channels
        extra: dict[int, Callable[[int, int], nn.Module]] = {4: LastLevelP6, 5: LastLevelP6P7}
        self.body = body
        self.fpn = FeaturePyramidNetwork(
            list(body.channels),
            channels,
            extra_blocks=extra[levels](body.channels[-1], channels) if levels in extra else None,
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
    """P6 alone, of C5: torchvision's LastLevelP6P7 without its P7."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.p6 = nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=2, padding=1)
        nn.init.kaiming_uniform_(self.p6.weight, a=1)
        assert self.p6.bias is not None
        nn.init.zeros_(self.p6.bias)

    def forward(
        self, p: list[Tensor], c: list[Tensor], names: list[str]
    ) -> tuple[list[Tensor], list[str]]:
        """Append P6 to the maps `p` and to their names."""
        return [*p, self.p6(c[-1])], [*names, "p6"]
