"""What an op of augmentation is: its setting, its random numbers, and what it does to patches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from midog.boxes import FloatArray

    Numbers = NDArray[np.float32]
    Parameters = Mapping[str, NDArray[Any]]
    """Of patches, by name: arrays whose first axis runs over the patches."""


class ReferencePixels(Protocol):
    """What an op may learn of the data of a training before it begins.

    All of it is a pure function of the ROIs: no seed, no order, no number of processes enters.
    """

    @property
    def side(self) -> int:
        """Side of a training patch, px."""

    def patches(self) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        """Yield patches at fixed places of the ROIs of train and unlabelled, with their scanner.

        A patch is (side, side, 3) uint8 at the model's um/px. Those with tissue come first.
        """

    def figures(self) -> Iterator[tuple[str, NDArray[np.uint8], FloatArray]]:
        """Yield mitotic figures of the ROIs of train that are alone, with their scanner.

        A crop is (c, c, 3) uint8, of one size for all, centred on the figure, with no other
        annotated box in it. The last is the figure's box, (4,) float32 x1 y1 x2 y2, px of the crop.
        """


@dataclass(frozen=True)
class Op:
    """One kind of augmentation, whole. A setting that is false (False, 0) switches it off.

    An op without `on_device` is one of those that the executors run as one pass, in this order:
    windows, pasted figures, turns, colours, blur (see `draw.Augmentation`). Those of colours name
    their parameters `mixing`, `gains` or both, and become one map. The others follow, in the order
    of `OPS`.

    Args:
        about: What it does, for help and listings.
        setting: Type of its setting `augment.NAME`, as pydantic checks it; several settings are a
            class of `Settings` that is false where it is off.
        default: Its setting where none is written.
        draws: How many random numbers a patch uses.
        parameters: What the numbers mean: from numbers (B, draws) float32 in [0, 1), the setting
            and, where the op has `references`, what that returned, to arrays (B, ...) by name.
        on_device: From images (B, 3, S, S) float32 in [0, 1] and the parameters, as tensors on the
            same device, to the new images. Nothing in it may wait for the device.
        on_cpu: From a patch (S, S, 3) uint8 and the parameters of this patch to the new patch. An
            op without it runs by `on_device` on the CPU.
        move_boxes: From boxes (N, 4) float32 px, the parameters of the patch of each box, and the
            side of a patch in px to the new boxes. An op without it leaves boxes where they are. An
            op that has it and `on_device` moves light alone: masks are moved by it, too.
        references: What it takes from the data, worked out once when a training is opened: from
            their pixels and the setting to anything that `parameters` understands. It lives on the
            CPU.
        describe: The references as plain values, kept with the model.
        is_share: Whether the setting is the share of patches that it changes.
        example: A usual setting, at which an op that is off is shown and timed; None: the default.
    """

    about: str
    setting: Any
    default: Any
    draws: int
    parameters: Callable[..., Parameters]
    on_device: Callable[[Tensor, Mapping[str, Tensor]], Tensor] | None = None
    on_cpu: Callable[[NDArray[np.uint8], Parameters], NDArray[np.uint8]] | None = None
    move_boxes: Callable[[FloatArray, Parameters, int], FloatArray] | None = None
    references: Callable[[ReferencePixels, Any], Any] | None = None
    describe: Callable[[Any], dict[str, Any]] | None = None
    is_share: bool = False
    example: Any = None
