"""From the ops of colours to one map of the logarithms of light, which costs as much as one op."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from midog.stains import mixing_matrices

_LEAST_GAIN = 1e-6

ColourMap = tuple[NDArray[np.float32], NDArray[np.float32]]
"""mixing (B, 3, 3) and gains (B, 3): log(new light) = log(light) @ mixing + log(gains)."""


def colour_map(parameters: Iterable[Mapping[str, NDArray[Any]]], patches: int) -> ColourMap | None:
    """Return the map that the ops of colours make together.

    Args:
        parameters: Of ops, in the order in which they act: `scales` (B, 3) of the stains' densities
            or `mixing`, then `gains`. Others are left out.
        patches: B.

    Returns:
        None where none of them is of colours.
    """
    mixing: NDArray[np.float32] | None = None
    gains: NDArray[np.float32] | None = None
    for own in parameters:
        then = mixing_matrices(own["scales"]) if "scales" in own else own.get("mixing")
        if then is not None:
            mixing = then if mixing is None else mixing @ then
            gains = None if gains is None else _mixed(gains, then)
        if "gains" in own:
            gains = own["gains"] if gains is None else gains * own["gains"]
    if mixing is None and gains is None:
        return None
    ones = np.ones((patches, 3), np.float32)
    return (
        mixing_matrices(ones) if mixing is None else mixing,
        ones if gains is None else gains,
    )


def _mixed(gains: NDArray[np.float32], mixing: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gains before a mixing as gains after it."""
    logs = np.log(np.maximum(gains, _LEAST_GAIN))
    return np.asarray(np.exp(np.einsum("bc,bcd->bd", logs, mixing)), np.float32)
