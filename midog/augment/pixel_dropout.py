"""Pixel dropout: a share of the pixels of a patch turns black."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from midog.augment.noise import noise_amounts
from midog.augment.op import Op

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from midog.augment.op import Numbers, Parameters


def dropouts(numbers: Numbers, highest: float) -> Parameters:
    """Return the noise below which a pixel of each patch is dropped, and the seed of its pixels.

    Args:
        numbers: (B, 3) float32 in [0, 1).
        highest: Share of the pixels, 0 to 1.

    Returns:
        bounds: (B,) float32. seeds: (B,) int64, 0 to 2**32 - 1.
    """
    import numpy as np

    from midog.augment.noise_field import noise_of_sums

    drawn = noise_amounts(numbers, highest)
    shares, sums = drawn["deviations"], _shares_below()
    bounds = np.searchsorted(sums, shares.astype(np.float64), side="right")
    return {"bounds": noise_of_sums(bounds - 0.5), "seeds": drawn["seeds"]}


@cache
def _shares_below() -> NDArray[np.float64]:
    """Share of pixels whose noise, a sum of four bytes, is at most 0, 1, … 1020."""
    import numpy as np

    byte = np.full(256, 1 / 256)
    two = np.convolve(byte, byte)
    return np.asarray(np.cumsum(np.convolve(two, two)))


def _on_device(images: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
    from midog.augment.noise_field import noise_on_device

    noise = noise_on_device(parameters["seeds"], images.shape[-1])[:, :1]
    return images.masked_fill(noise < parameters["bounds"][:, None, None, None], 0)


def _on_cpu(patch: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.uint8]:
    from midog.augment.noise_field import noise_on_cpu

    noise = noise_on_cpu(int(parameters["seeds"]), len(patch))[..., 0]
    dropped = patch.copy()
    dropped[noise < parameters["bounds"]] = 0
    return dropped


PIXEL_DROPOUT = Op(
    about="highest share of the px of a patch that turn black",
    setting=Annotated[float, Field(ge=0, le=0.5)],
    default=0.0,
    draws=3,
    parameters=dropouts,
    on_device=_on_device,
    on_cpu=_on_cpu,
    example=0.02,
)
