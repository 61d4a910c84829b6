"""Colour jitter as photographs get it: brightness, saturation, hue and contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from midog.augment.op import Op
from midog.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from midog.augment.op import Numbers, Parameters


class JitterSettings(Settings):
    """Bounds of the jitter; false where all are 0."""

    brightness: float = Field(
        0.0, ge=0, le=1, description="largest change of light, the same for every px, of white"
    )
    saturation: float = Field(0.0, ge=0, le=1, description="largest change of saturation's factor")
    hue: float = Field(0.0, ge=0, le=0.5, description="largest change of hue, of a whole turn")
    contrast: float = Field(
        0.0, ge=0, le=1, description="largest change of the factor of what differs from the mean"
    )

    def __bool__(self) -> bool:
        return any((self.brightness, self.saturation, self.hue, self.contrast))


def jitters(numbers: Numbers, bounds: Any) -> Parameters:
    """Return what is done to each patch.

    Args:
        numbers: (B, 4) float32 in [0, 1).
        bounds: `JitterSettings`.

    Returns:
        (B,) float32 each. brightness: added to light. saturation, contrast: factors. hue: turns.
    """
    brightness, saturation, hue, contrast = (2 * numbers - 1).T
    return {
        "brightness": bounds.brightness * brightness,
        "saturation": 1 + bounds.saturation * saturation,
        "hue": bounds.hue * hue,
        "contrast": 1 + bounds.contrast * contrast,
    }


def _on_device(images: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
    brightness, saturation, hue, contrast = (
        parameters[name][:, None, None, None]
        for name in ("brightness", "saturation", "hue", "contrast")
    )
    light = (images + brightness).clamp_(0, 1)
    light = _of_other_hue(light, hue[:, 0], saturation[:, 0])
    mean = light.mean(dim=(2, 3), keepdim=True)
    return (mean + contrast * (light - mean)).clamp_(0, 1)


def _of_other_hue(light: Tensor, turns: Tensor, factors: Tensor) -> Tensor:
    """Change hue and saturation in HSV, whose value stays.

    Args:
        light: (B, 3, H, W) in [0, 1].
        turns, factors: (B, 1, 1).
    """
    import torch

    red, green, blue = light.unbind(1)
    value, least = light.amax(dim=1), light.amin(dim=1)
    chroma = value - least
    some = chroma.clamp(min=1e-6)
    hue = torch.where(
        value == red,
        (green - blue) / some % 6,
        torch.where(value == green, 2 + (blue - red) / some, 4 + (red - green) / some),
    )
    hue = hue + 6 * turns
    chroma = torch.minimum(chroma * factors, value)  # no saturation is over 1
    # a colour of HSV from its sixth of the hexagon (Smith 1978), without a branch
    sixths = hue[:, None] + hue.new_tensor([5.0, 3.0, 1.0])[:, None, None]
    away = sixths % 6
    away = torch.minimum(away, 4 - away).clamp_(0, 1)
    return value[:, None] - chroma[:, None] * away


COLOUR_JITTER = Op(
    about="bounds of brightness, saturation, hue and contrast, as for photographs",
    setting=JitterSettings,
    default=JitterSettings(),
    draws=4,
    parameters=jitters,
    on_device=_on_device,
    example=JitterSettings(brightness=64 / 255, saturation=0.25, hue=0.04, contrast=0.75),
)
"""Its usual bounds are those of Liu et al. 2017 (arXiv:1703.02442, section 3)."""
