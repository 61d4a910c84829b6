"""Blur and sharpening: which patches, and by how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from midog.augment.op import Op

if TYPE_CHECKING:
    from midog.augment.op import Numbers, Parameters


def blur_amounts(numbers: Numbers, share: float) -> Parameters:
    """Return which patches are blurred, (B,) bool, and the amounts (B,) float32.

    An amount of 1 replaces a patch by its Gaussian average of sigma 1 px, -1 sharpens by as much.
    """
    return {"blurred": numbers[:, 0] < share, "amounts": 2 * numbers[:, 1] - 1}


BLUR = Op(
    about="share of patches that are blurred or sharpened",
    setting=Annotated[float, Field(ge=0, le=1)],
    default=0.2,
    draws=2,
    parameters=blur_amounts,
    is_share=True,
    example=1.0,
)
