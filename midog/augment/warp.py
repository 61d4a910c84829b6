"""Warps: small rotations, shear and elastic displacement, and where they take boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from midog.augment.op import Op
from midog.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from midog.augment.op import Numbers, Parameters
    from midog.boxes import FloatArray

_NODES = 5
"""Places along each side of a patch whose displacement is drawn."""
_STEPS = 30
"""Of the search for where a point comes to; it halves the error or more with each."""


class WarpSettings(Settings):
    """Bounds of the warp; false where all are 0."""

    rotation: float = Field(0.0, ge=0, le=45, description="largest turn either way, degrees")
    shear: float = Field(
        0.0,
        ge=0,
        le=0.3,
        description="largest shift of a row per px of its distance from the middle, px",
    )
    elastic: float = Field(
        0.0,
        ge=0,
        le=0.04,
        description="largest displacement of 5 x 5 places along x and y, of the patch's side",
    )

    def __bool__(self) -> bool:
        return any((self.rotation, self.shear, self.elastic))


def warps(numbers: Numbers, bounds: Any) -> Parameters:
    """Return where the light of a warped patch is taken from.

    Args:
        numbers: (B, 2 + 2 * _NODES ** 2) float32 in [0, 1).
        bounds: `WarpSettings`.

    Returns:
        matrices: (B, 2, 2) float32, from x y of the warped patch, about its middle, to those of the
        patch. displacements: (B, 2, _NODES, _NODES) float32, x and y that are added at places from
        top to bottom and left to right, of the side.
    """
    import numpy as np

    signed = 2 * numbers - 1
    turns = np.radians(bounds.rotation) * signed[:, 0]
    cos, sin = np.cos(turns), np.sin(turns)
    turned = np.stack([cos, -sin, sin, cos], axis=1).reshape(-1, 2, 2)
    sheared = np.tile(np.eye(2), (len(numbers), 1, 1))
    sheared[:, 0, 1] = bounds.shear * signed[:, 1]
    return {
        "matrices": (turned @ sheared).astype(np.float32),
        "displacements": (bounds.elastic * signed[:, 2:]).reshape(-1, 2, _NODES, _NODES),
    }


def _on_device(images: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
    import torch
    from torch.nn import functional as F

    from midog.augment.constants import constant

    side, device = images.shape[-1], images.device
    along, shares = constant(_middles, device, side), constant(_shares_of_middles, device, side)
    y, x = torch.meshgrid(along, along, indexing="ij")
    points = torch.stack([x, y], dim=-1)  # (S, S, 2), -1 to 1
    sources = torch.einsum("yxc,bdc->byxd", points, parameters["matrices"])
    # displacements are of the side, which is 2 here
    moved = torch.einsum("yi,bdij,xj->byxd", shares, 2 * parameters["displacements"], shares)
    # what is beyond the edge is white
    dark = F.grid_sample(
        1 - images, sources + moved, mode="bicubic", padding_mode="zeros", align_corners=False
    )
    return (1 - dark).clamp_(0, 1)


def _middles(side: int) -> NDArray[np.float32]:
    """The middles of px, -1 to 1 from edge to edge."""
    import numpy as np

    return ((2 * np.arange(side) + 1) / side - 1).astype(np.float32)


def _shares_of_middles(side: int) -> NDArray[np.float32]:
    import numpy as np

    return _shares(_middles(side)).astype(np.float32)


def _shares(places: NDArray[Any]) -> NDArray[Any]:
    """How much each of _NODES places, evenly from -1 to 1, moves others: (..., _NODES), 1 in all.

    Between two of them the one fades out as the other fades in, by a cosine.
    """
    import numpy as np

    nodes = (places[..., None] + 1) * (_NODES - 1) / 2 - np.arange(_NODES)
    return np.asarray((1 + np.cos(np.pi * nodes.clip(-1, 1))) / 2)


def _move_boxes(boxes: FloatArray, parameters: Parameters, side: int) -> FloatArray:
    """Move boxes to boxes of the same spread as what was in them.

    A box that is filled evenly has the variance side^2 / 12 along each axis. Where the middles of
    its four sides come to says where that goes; of a square that is turned it does not change.
    """
    import numpy as np

    x1, y1, x2, y2 = boxes.T.astype(np.float64)
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    ends = np.array([[x1, y], [x2, y], [x, y1], [x, y2]])  # (4, 2, N)
    left, right, top, bottom = (_moved(end.T, parameters, side) for end in ends)
    centre = (left + right + top + bottom) / 4
    reach = np.hypot(right - left, bottom - top) / 2
    return np.concatenate([centre - reach, centre + reach], axis=1).astype(boxes.dtype)


def _moved(points: NDArray[Any], parameters: Parameters, side: int) -> NDArray[Any]:
    """Where points (N, 2), px, are in their warped patches: there light is taken from them."""
    import numpy as np

    sources = points / (side / 2) - 1
    back = np.linalg.inv(parameters["matrices"].astype(np.float64))
    moved = sources
    for _ in range(_STEPS):
        across, down = (_shares(moved[:, axis].clip(-1, 1)) for axis in (0, 1))
        shift = np.einsum("ni,ndij,nj->nd", down, 2 * parameters["displacements"], across)
        moved = np.einsum("ndc,nc->nd", back, sources - shift)
    return np.asarray((moved + 1) * (side / 2))


WARP = Op(
    about="bounds of small rotations, shear and elastic displacement; beyond the edge it is white",
    setting=WarpSettings,
    default=WarpSettings(),
    draws=2 + 2 * _NODES**2,
    parameters=warps,
    on_device=_on_device,
    move_boxes=_move_boxes,
    example=WarpSettings(rotation=10, shear=0.1, elastic=0.02),
)
