"""Noise of a camera: of its electronics, the same everywhere, and of light, larger where it is
bright."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from midog.augment.op import Op

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from midog.augment.op import Numbers, Parameters

_HALF_WORD = 1 << 16


def noise_amounts(numbers: Numbers, highest: float) -> Parameters:
    """Return the deviation of the noise of each patch and the seed of its pixels.

    Args:
        numbers: (B, 3) float32 in [0, 1).
        highest: Deviation, as a share of white.

    Returns:
        deviations: (B,) float32. seeds: (B,) int64, 0 to 2**32 - 1.
    """
    import numpy as np

    high, low = (numbers[:, 1:] * _HALF_WORD).astype(np.int64).clip(max=_HALF_WORD - 1).T
    return {"deviations": highest * numbers[:, 0], "seeds": high * _HALF_WORD + low}


def _electronics_on_device(images: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
    from midog.augment.noise_field import noise_on_device

    noise = noise_on_device(parameters["seeds"], images.shape[-1])
    return (images + parameters["deviations"][:, None, None, None] * noise).clamp_(0, 1)


def _light_on_device(images: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
    from midog.augment.noise_field import noise_on_device

    noise = noise_on_device(parameters["seeds"], images.shape[-1]) * images.sqrt()
    return (images + parameters["deviations"][:, None, None, None] * noise).clamp_(0, 1)


def _electronics_on_cpu(patch: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.uint8]:
    import cv2
    import numpy as np

    from midog.augment.noise_field import noise_on_cpu

    noise = noise_on_cpu(int(parameters["seeds"]), len(patch))
    noise *= np.float32(255 * parameters["deviations"])
    return np.asarray(cv2.add(patch, noise, dtype=cv2.CV_8U))


def _light_on_cpu(patch: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.uint8]:
    import cv2
    import numpy as np

    from midog.augment.noise_field import noise_on_cpu

    noise = noise_on_cpu(int(parameters["seeds"]), len(patch))
    deviations = parameters["deviations"] * np.sqrt(255 * np.arange(256, dtype=np.float32))
    noise *= deviations[patch]
    return np.asarray(cv2.add(patch, noise, dtype=cv2.CV_8U))


_Highest = Annotated[float, Field(ge=0, le=0.5)]

NOISE = Op(
    about="highest deviation of noise that is the same everywhere, as a share of white",
    setting=_Highest,
    default=0.0,
    draws=3,
    parameters=noise_amounts,
    on_device=_electronics_on_device,
    on_cpu=_electronics_on_cpu,
    example=0.05,
)
SHOT_NOISE = Op(
    about="highest deviation of noise that grows with the root of light, as of photons, at white",
    setting=_Highest,
    default=0.0,
    draws=3,
    parameters=noise_amounts,
    on_device=_light_on_device,
    on_cpu=_light_on_cpu,
    example=0.05,
)
