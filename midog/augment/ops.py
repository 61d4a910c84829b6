"""Augmentation ops by name: each one's setting, what it means, and what it does to a patch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Op:
    """An augmentation.

    Args:
        about: What it does, for help and listings.
        setting: Type of its setting `augment.NAME`, as pydantic checks it.
        default: Its setting where none is written.
    """

    about: str
    setting: Any
    default: Any


OPS: dict[str, Op] = {
    "flip": Op("flips and quarter turns", bool, True),
    "stain": Op("jitter of the haematoxylin, eosin and residual densities", Share, 0.15),
    "brightness": Op("jitter of brightness and white balance", Share, 0.1),
    "blur": Op("share of patches that are blurred or sharpened", Share, 0.2),
}
