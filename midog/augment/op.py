"""What an op of augmentation is: its setting, its random numbers, and what it does to patches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from midog.boxes import FloatArray

    Numbers = NDArray[np.float32]
    Parameters = Mapping[str, NDArray[Any]]
    """Of patches, by name: arrays whose first axis runs over the patches."""


@dataclass(frozen=True)
class Op:
    """One kind of augmentation, whole. A setting that is False or 0 switches it off.

    An op without `on_device` is one of those that the executors run as one pass, in this order:
    turns, colours, blur (see `draw.Augmentation`). Those of colours name their parameters `mixing`,
    `gains` or both, and become one map. The others follow, in the order of `OPS`.

    Args:
        about: What it does, for help and listings.
        setting: Type of its setting `augment.NAME`, as pydantic checks it.
        default: Its setting where none is written.
        draws: How many random numbers a patch uses.
        parameters: What the numbers mean: from numbers (B, draws) float32 in [0, 1) and the setting
            to arrays (B, ...) by name.
        on_device: From images (B, 3, S, S) float32 in [0, 1] and the parameters, as tensors on the
            same device, to the new images. Nothing in it may wait for the device.
        on_cpu: From a patch (S, S, 3) uint8 and the parameters of this patch to the new patch. An
            op without it runs by `on_device` on the CPU.
        move_boxes: From boxes (N, 4) float32 px, the parameters of the patch of each box, and the
            side of a patch in px to the new boxes. An op without it leaves boxes where they are.
        example: A usual setting, at which an op that is off is shown and timed; None: the default.
    """

    about: str
    setting: Any
    default: Any
    draws: int
    parameters: Callable[[Numbers, Any], Parameters]
    on_device: Callable[[Tensor, Mapping[str, Tensor]], Tensor] | None = None
    on_cpu: Callable[[NDArray[np.uint8], Parameters], NDArray[np.uint8]] | None = None
    move_boxes: Callable[[FloatArray, Parameters, int], FloatArray] | None = None
    example: Any = None
