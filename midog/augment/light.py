"""Light of another camera: gamma and white balance; both are maps of the logarithms of light."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from midog.augment.op import Op

if TYPE_CHECKING:
    from midog.augment.op import Numbers, Parameters


def gammas(numbers: Numbers, reach: float) -> Parameters:
    """Return the map of colours that raises light to a power, 1 / (1 + reach) to 1 + reach.

    Args:
        numbers: (B, 1) float32 in [0, 1).
        reach: 0 to 1.

    Returns:
        mixing: (B, 3, 3) float32, as of `draw.Augmentation`.
    """
    import numpy as np

    powers = (1 + reach) ** (2 * numbers[:, :1] - 1)
    return {"mixing": (powers[:, :, None] * np.eye(3)).astype(np.float32)}


def balances(numbers: Numbers, reach: float) -> Parameters:
    """Return factors of red, green and blue that change the hue of light and keep its brightness.

    Args:
        numbers: (B, 3) float32 in [0, 1).
        reach: 0 to 1; before brightness is kept a factor is 1 / (1 + reach) to 1 + reach.

    Returns:
        gains: (B, 3) float32 of geometric mean 1.
    """
    import numpy as np

    logs = np.log1p(reach) * (2 * numbers - 1)
    return {"gains": np.exp(logs - logs.mean(axis=1, keepdims=True)).astype(np.float32)}


GAMMA = Op(
    about="jitter of the power of light: 0.5 draws powers from 1 / 1.5 to 1.5",
    setting=Annotated[float, Field(ge=0, le=1)],
    default=0.0,
    draws=1,
    parameters=gammas,
    example=0.4,
)
WHITE_BALANCE = Op(
    about="jitter of the hue of light, brightness kept",
    setting=Annotated[float, Field(ge=0, le=1)],
    default=0.0,
    draws=3,
    parameters=balances,
    example=0.2,
)
