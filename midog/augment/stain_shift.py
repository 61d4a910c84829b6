"""Stains of another laboratory: densities scaled and shifted, the stains' own colours turned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from midog.augment.op import Op

if TYPE_CHECKING:
    from midog.augment.op import Numbers, Parameters
    from midog.stains import Values


def shifted_densities(numbers: Numbers, reach: float) -> Parameters:
    """Return the map of colours that scales and shifts the densities of the stains.

    Tellez et al., 'Whole-slide mitosis detection in H&E breast histology using PHH3 as a reference
    to train distilled stain-invariant convolutional networks', IEEE TMI 2018: the amount s of each
    of haematoxylin, eosin and a residual becomes a * s + b, a in 1 ± reach and b in ± reach. An
    amount is an optical density here, -log10 of light, about 0 to 1 in tissue; the shift is that of
    glass as well.

    Args:
        numbers: (B, 6) float32 in [0, 1): three of the factors, three of the shifts.
        reach: 0 to 1.

    Returns:
        mixing: (B, 3, 3) float32 and gains: (B, 3) float32, as of `draw.Augmentation`.
    """
    import numpy as np

    from midog.stains import STAINS, mixing_matrices

    signed = reach * (2 * numbers - 1)
    gains = 10.0 ** -(signed[:, 3:].astype(np.float64) @ STAINS)
    return {"mixing": mixing_matrices(1 + signed[:, :3]), "gains": gains.astype(np.float32)}


def turned_stains(numbers: Numbers, degrees: float) -> Parameters:
    """Return the map of colours that keeps the amounts of the stains and turns their colours.

    Args:
        numbers: (B, 4) float32 in [0, 1): angle and direction, of haematoxylin and of eosin.
        degrees: Largest angle between a stain's old and new optical densities in R, G, B.

    Returns:
        mixing: (B, 3, 3) float32, as of `draw.Augmentation`.
    """
    import numpy as np

    from midog.stains import STAINS, UNMIX

    stains = np.repeat(STAINS[None], len(numbers), axis=0)
    angles = np.radians(degrees * numbers[:, ::2].astype(np.float64))
    directions = 2 * np.pi * numbers[:, 1::2].astype(np.float64)
    for row in (0, 1):
        stains[:, row] = _turned(STAINS[row], angles[:, row], directions[:, row])
    return {"mixing": (UNMIX @ stains).astype(np.float32)}


def _turned(stain: Values, angles: Values, directions: Values) -> Values:
    """Vectors (B, 3) of length 1 at these angles from `stain` (3,), without a negative density.

    To set what is negative to 0 only turns a vector back: densities are a convex cone that the
    stain lies in.
    """
    import numpy as np

    first = np.cross(stain, [0.0, 0.0, 1.0])
    first /= np.linalg.norm(first)
    second = np.cross(stain, first)
    aside = np.cos(directions)[:, None] * first + np.sin(directions)[:, None] * second
    turned = np.cos(angles)[:, None] * stain + np.sin(angles)[:, None] * aside
    turned = turned.clip(min=0)
    return np.asarray(turned / np.linalg.norm(turned, axis=1, keepdims=True))


HED = Op(
    about="factors and shifts of the haematoxylin, eosin and residual densities (Tellez et al."
    " 2018); 0.05 is light, 0.1 strong, and 0.2 bleaches some patches",
    setting=Annotated[float, Field(ge=0, le=1)],
    default=0.0,
    draws=6,
    parameters=shifted_densities,
    example=0.1,
)
STAIN_BASIS = Op(
    about="largest angle by which the colours of haematoxylin and eosin are turned, degrees",
    setting=Annotated[float, Field(ge=0, le=30)],
    default=0.0,
    draws=4,
    parameters=turned_stains,
    example=10.0,
)
