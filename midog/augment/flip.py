"""Flips and quarter turns: the eight symmetries of a patch, and what they do to boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midog.augment.op import Op

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from midog.augment.op import Numbers, Parameters
    from midog.boxes import FloatArray

SYMMETRIES = (
    (False, False, False),
    (True, True, False),
    (False, True, True),
    (True, False, True),
    (False, False, True),
    (True, False, False),
    (False, True, False),
    (True, True, True),
)
"""By turn, 0 to 7 (see `turn_boxes`): whether a patch is transposed, then flipped top to bottom,
then left to right."""


def turns_of(numbers: Numbers, setting: bool) -> Parameters:
    """Return the symmetry of each patch, turns (B,) int64, 0 to 7."""
    import numpy as np

    assert setting
    return {"turns": (numbers[:, 0] * 8).astype(np.int64).clip(max=7)}


def turn_boxes(boxes: FloatArray, turns: NDArray[np.int64], side: int) -> FloatArray:
    """Move boxes as their patches are turned.

    Args:
        boxes: (N, 4) float32 x1 y1 x2 y2, px of their patch.
        turns: (N,) int64, 0 to 7: `turn % 4` quarter turns counter-clockwise, mirrored left to
            right first for turn >= 4.
        side: Of the patches, px.

    Returns:
        (N, 4), px of the turned patch.
    """
    import numpy as np

    x1, y1, x2, y2 = boxes.T
    mirrored = turns >= 4
    x1, x2 = np.where(mirrored, side - x2, x1), np.where(mirrored, side - x1, x2)
    for quarter in range(3):  # each takes (x, y) to (y, side - x)
        on = turns % 4 > quarter
        x1, y1, x2, y2 = (
            np.where(on, new, old)
            for new, old in ((y1, x1), (side - x2, y1), (y2, x2), (side - x1, y2))
        )
    return np.stack([x1, y1, x2, y2], axis=1)


def _move_boxes(boxes: FloatArray, parameters: Parameters, side: int) -> FloatArray:
    return turn_boxes(boxes, parameters["turns"], side)


FLIP = Op(
    about="flips and quarter turns",
    setting=bool,
    default=True,
    draws=1,
    parameters=turns_of,
    move_boxes=_move_boxes,
)
