"""Focus that varies within a patch: each place is blurred or sharpened by an amount of its own."""

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

_CELLS = 5
"""Amounts along each side of a patch; between them they change evenly."""


def focus_amounts(numbers: Numbers, highest: float) -> Parameters:
    """Return the amounts of blur at _CELLS x _CELLS places of each patch.

    Args:
        numbers: (B, _CELLS ** 2) float32 in [0, 1).
        highest: Amount of sharpening, and of blur up to 1.

    Returns:
        amounts: (B, _CELLS, _CELLS) float32, -highest to min(highest, 1). 1 replaces a place by its
        Gaussian average of sigma 1 px, -1 sharpens it by as much.
    """
    low, high = -highest, min(highest, 1.0)
    amounts = low + (high - low) * numbers
    return {"amounts": amounts.reshape(-1, _CELLS, _CELLS)}


def _on_device(images: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
    import torch.nn.functional as F

    from midog.augment.gaussian import gaussian_on_device

    side = images.shape[-1]
    amounts = F.interpolate(parameters["amounts"][:, None], (side, side), mode="bilinear")
    return (images + amounts * (gaussian_on_device(images) - images)).clamp_(0, 1)


def _on_cpu(patch: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.uint8]:
    import cv2
    import numpy as np

    from midog.augment.gaussian import gaussian_on_cpu

    side, light = len(patch), patch.astype(np.float32)
    amounts = cv2.resize(parameters["amounts"], (side, side), interpolation=cv2.INTER_LINEAR)
    change = gaussian_on_cpu(light)
    change -= light
    change *= amounts[:, :, None]
    return np.asarray(cv2.add(light, change, dtype=cv2.CV_8U))


FOCUS = Op(
    about="highest amount of blur or sharpening, drawn for 5 x 5 places of a patch",
    setting=Annotated[float, Field(ge=0, le=3)],
    default=0.0,
    draws=_CELLS**2,
    parameters=focus_amounts,
    on_device=_on_device,
    on_cpu=_on_cpu,
    example=1.0,
)
