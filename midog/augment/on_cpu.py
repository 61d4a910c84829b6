"""The augmentation of `augment` by OpenCV, patch by patch: uint8 in and out, for the threads that
cut patches."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from midog.augment.on_device import Looks

_BAND = 128
"""Rows worked on at a time: what a band takes stays in a core's own cache."""


@contextmanager
def opencv_on_one_thread() -> Iterator[None]:
    """OpenCV would share each call out over threads of its own, as many as there are cores; our
    threads are that many already, and would wait for each other's. The number is the process's, so
    it is put back."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


class Workbench(threading.local):
    """Room in which a thread augments patches of one size; each thread that uses it has its own."""

    def __init__(self, side: int) -> None:
        self.patch, self.turned = (np.empty((side, side, 3), np.uint8) for _ in range(2))
        self.logs, self.colours = (
            np.zeros((min(side, _BAND), side, 3), np.float32) for _ in range(2)
        )
        self.ones = np.ones((min(side, _BAND), side, 3), np.uint8)
        self.light, self.smooth = (np.empty((side, side, 3), np.float32) for _ in range(2))


class Look(NamedTuple):
    """What is done to one patch.

    flips: whether it is transposed, flipped top to bottom, flipped left to right. affine: (3, 4)
    float32, from the logarithms of its light (0 to 255) to the new ones; None: its colours stay.
    amount: of blur (> 0) or sharpening.
    """

    flips: list[bool]
    affine: NDArray[np.float32] | None
    amount: float


def look_by_look(looks: Looks, patches: int) -> list[Look]:
    """The looks of a batch of that many patches, patch by patch."""
    flips = [[False] * 3] * patches if looks.flips is None else looks.flips.tolist()
    affines: list[NDArray[np.float32] | None] = [None] * patches
    if looks.mixing is not None and looks.gains is not None:
        # log(new / 255) = log(gain) + log(old / 255) @ mixing
        mixing, white = looks.mixing.numpy().transpose(0, 2, 1), np.float32(np.log(255))
        shifts = np.log(np.maximum(looks.gains.numpy(), 1e-6)) + white * (1 - mixing.sum(axis=2))
        affines = [*np.concatenate([mixing, shifts[:, :, None]], axis=2)]
    amounts = np.zeros(patches)
    amounts[looks.blurred.numpy()] = looks.amounts.numpy()
    return [Look(*each) for each in zip(flips, affines, amounts.tolist(), strict=True)]


def augment_patch(
    bench: Workbench, look: Look, patch: NDArray[np.uint8], out: NDArray[np.uint8]
) -> None:
    """Write the patch (S, S, 3) as `look` has it to `out`; bench: the room of this thread.

    As `augment` makes it, to within a grey level: colours and blur are float32, and rounded once.
    """
    import cv2

    turned = out if look.affine is None else bench.turned
    _turn(patch, look.flips, turned)
    if look.affine is not None:
        _mix(bench, look.affine, turned, bench.light if look.amount else out)
    elif look.amount:
        np.copyto(bench.light, turned)
    if look.amount:
        cv2.GaussianBlur(bench.light, (5, 5), 1, bench.smooth, borderType=cv2.BORDER_REFLECT_101)
        cv2.addWeighted(bench.light, 1 - look.amount, bench.smooth, look.amount, 0, out, cv2.CV_8U)


def _turn(patch: NDArray[np.uint8], flips: list[bool], out: NDArray[np.uint8]) -> None:
    import cv2

    transposed, upside_down, mirrored = flips
    if transposed:
        cv2.transpose(patch, out)
        patch = out
    if upside_down or mirrored:
        cv2.flip(patch, -1 if upside_down and mirrored else int(mirrored), out)
    elif not transposed:
        np.copyto(out, patch)


def _mix(
    bench: Workbench, affine: NDArray[np.float32], patch: NDArray[np.uint8], out: NDArray[Any]
) -> None:
    """Write the patch with its colours mapped, 0 to 255, to `out`: rounded to uint8, or float32;
    spoils `patch`."""
    import cv2

    for top in range(0, len(out), _BAND):
        band, target = patch[top : top + _BAND], out[top : top + _BAND]
        ones, logs, light = (
            bench.ones[: len(band)],
            bench.logs[: len(band)],
            bench.colours[: len(band)],
        )
        cv2.max(band, ones, band)  # black has no logarithm
        cv2.accumulateWeighted(
            band, logs, 1.0
        )  # logs = band as float32, in half the time that numpy takes
        cv2.log(logs, logs)
        cv2.transform(logs, affine, light)
        cv2.exp(light, light)
        if target.dtype == np.uint8:
            cv2.convertScaleAbs(light, target)
        else:
            cv2.threshold(light, 255, 255, cv2.THRESH_TRUNC, target)
