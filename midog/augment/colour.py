"""Stain and brightness: what their random numbers mean; both are part of one map of colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from midog.augment.op import Op

if TYPE_CHECKING:
    from midog.augment.op import Numbers, Parameters

Reach = Annotated[float, Field(ge=0, le=1)]


def stain_scales(numbers: Numbers, reach: float) -> Parameters:
    """Return factors (B, 3) of the haematoxylin, eosin and residual densities."""
    return {"scales": 1 + reach * (2 * numbers - 1)}


def channel_gains(numbers: Numbers, reach: float) -> Parameters:
    """Return factors (B, 3) of the light in red, green and blue."""
    return {"gains": 1 + reach * (2 * numbers - 1)}


STAIN = Op(
    about="jitter of the haematoxylin, eosin and residual densities",
    setting=Reach,
    default=0.15,
    draws=3,
    parameters=stain_scales,
    example=0.3,
)
BRIGHTNESS = Op(
    about="jitter of brightness and white balance",
    setting=Reach,
    default=0.1,
    draws=3,
    parameters=channel_gains,
    example=0.2,
)
