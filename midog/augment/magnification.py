"""Magnification: a patch is cut from a larger or a smaller window, as if um/px were others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from midog.augment.op import Op

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from midog.augment.op import Numbers, Parameters


def magnifications(numbers: Numbers, reach: float) -> Parameters:
    """Return by how much each patch is larger than its window, 1 / (1 + reach) to 1 + reach.

    Args:
        numbers: (B, 1) float32 in [0, 1).
        reach: 0 to 0.5.

    Returns:
        magnifications: (B,) float32.
    """
    return {"magnifications": (1 + reach) ** (2 * numbers[:, 0] - 1)}


def window_sides(magnification: NDArray[np.float32], side: int) -> NDArray[np.int64]:
    """Return the sides of the windows that become patches of `side` px: even numbers of px."""
    import numpy as np

    return 2 * np.rint(side / (2 * magnification)).astype(np.int64)


def widest_window(reach: float, side: int) -> int:
    """Return the side of the largest window at a setting, px."""
    return 2 * round(side * (1 + reach) / 2) if reach else side


MPP = Op(
    about="jitter of um/px: 0.1 shows figures up to 1.1 times as large or as small",
    setting=Annotated[float, Field(ge=0, le=0.5)],
    default=0.0,
    draws=1,
    parameters=magnifications,
    example=0.2,
)
"""It acts where patches are cut (`loading.locations`), so nothing is made up at their edges."""
