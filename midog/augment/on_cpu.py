"""Augmentation by OpenCV, patch by patch: uint8 in and out, for the threads that cut patches."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from midog.augment.draw import Augmentation, Step
from midog.augment.gaussian import gaussian_on_cpu
from midog.augment.on_device import to_float
from midog.augment.pasted import Paste, paste_on_cpu

_BAND = 128
"""Rows worked on at a time: what a band takes stays in a core's own cache."""
_WHITE, _BRIGHTEST = np.log(255.0), 20.0
"""Logarithms of light: of white, and of what OpenCV still rounds to white."""


@contextmanager
def opencv_on_one_thread() -> Iterator[None]:
    """Keep OpenCV from sharing each call out over threads of its own.

    There are as many of ours as there are cores, and they would wait for each other's. The number
    is the process's, so it is put back.
    """
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


class Scratch(threading.local):
    """Memory in which a thread augments patches of one size; each thread that uses it has its own.

    Args:
        side: Of the patches, px.
    """

    def __init__(self, side: int) -> None:
        self.patch, self.turned = (np.empty((side, side, 3), np.uint8) for _ in range(2))
        self.logs, self.colours = (
            np.zeros((min(side, _BAND), side, 3), np.float32) for _ in range(2)
        )
        self.ones = np.ones((min(side, _BAND), side, 3), np.uint8)
        self.light, self.smooth = (np.empty((side, side, 3), np.float32) for _ in range(2))


class PatchAugmentation(NamedTuple):
    """What is done to one patch.

    flips: whether it is transposed, flipped top to bottom, flipped left to right. affine: (3, 4)
    float32, from the logarithms of its light (0 to 255) to the new ones; None: its colours stay.
    amount: of blur (> 0) or sharpening. steps: the ops that follow, with arrays of this patch.
    paste: a figure that is pasted before all of this.
    """

    flips: list[bool]
    affine: NDArray[np.float32] | None
    amount: float
    steps: tuple[Step, ...] = ()
    paste: Paste | None = None


def patch_by_patch(augmentation: Augmentation, patches: int) -> list[PatchAugmentation]:
    """Return the augmentation of a batch of `patches` patches, patch by patch."""
    flips = [[False] * 3] * patches
    if augmentation.flips is not None:
        flips = augmentation.flips.tolist()
    affines: list[NDArray[np.float32] | None] = [None] * patches
    if augmentation.mixing is not None and augmentation.gains is not None:
        # log(new / 255) = log(gain) + log(old / 255) @ mixing
        mixing, white = augmentation.mixing.numpy().transpose(0, 2, 1), np.float32(np.log(255))
        gains = np.maximum(augmentation.gains.numpy(), 1e-6)
        shifts = np.log(gains) + white * (1 - mixing.sum(axis=2))
        affines = [*np.concatenate([mixing, shifts[:, :, None]], axis=2)]
    amounts = np.zeros(patches)
    amounts[augmentation.blurred.numpy()] = augmentation.amounts.numpy()
    pastes = _pastes_of(augmentation)
    return [
        PatchAugmentation(
            flips[patch],
            affines[patch],
            amount,
            _steps_of(augmentation, patch),
            pastes.get(patch),
        )
        for patch, amount in enumerate(amounts.tolist())
    ]


def augment_patch(
    scratch: Scratch,
    augmentation: PatchAugmentation,
    patch: NDArray[np.uint8],
    out: NDArray[np.uint8],
) -> None:
    """Augment a patch as `on_device.augment` does, to within a grey level.

    Colours and blur are float32, and rounded once; the ops that follow take and give uint8.

    Args:
        scratch: Of this thread.
        augmentation: Of this patch.
        patch: (S, S, 3) uint8; it may be read-only.
        out: (S, S, 3) uint8, overwritten.
    """
    import cv2

    if augmentation.paste is not None:
        np.copyto(scratch.patch, patch)
        patch = scratch.patch
        paste_on_cpu(patch, augmentation.paste)
    affine, amount = augmentation.affine, augmentation.amount
    turned = out if affine is None else scratch.turned
    _turn(patch, augmentation.flips, turned)
    if affine is not None:
        _mix(scratch, affine, turned, scratch.light if amount else out)
    elif amount:
        np.copyto(scratch.light, turned)
    if amount:
        gaussian_on_cpu(scratch.light, scratch.smooth)
        cv2.addWeighted(scratch.light, 1 - amount, scratch.smooth, amount, 0, out, cv2.CV_8U)
    for step in augmentation.steps:
        out[...] = _run(step, out)


def _steps_of(augmentation: Augmentation, patch: int) -> tuple[Step, ...]:
    return tuple(
        Step(op, {name: values[patch].numpy() for name, values in parameters.items()})
        for op, parameters in augmentation.steps
    )


def _pastes_of(augmentation: Augmentation) -> dict[int, Paste]:
    """What is pasted, by the number of its patch."""
    if augmentation.pastes is None:
        return {}
    patches, corners, crops, _ = augmentation.pastes
    return {
        patch: Paste(x, y, crop.numpy())
        for patch, (x, y), crop in zip(patches.tolist(), corners.tolist(), crops, strict=True)
    }


def _run(step: Step, patch: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The patch after one op, by its CPU form or else by its device form."""
    op, parameters = step
    if op.on_cpu is not None:
        return op.on_cpu(patch, parameters)
    assert op.on_device is not None
    tensors = {name: torch.as_tensor(values)[None] for name, values in parameters.items()}
    light = op.on_device(to_float(torch.from_numpy(patch)[None]), tensors)
    return light[0].permute(1, 2, 0).mul(255).round().clamp(0, 255).to(torch.uint8).numpy()


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
    scratch: Scratch, affine: NDArray[np.float32], patch: NDArray[np.uint8], out: NDArray[Any]
) -> None:
    """Write the patch with its colours mapped, 0 to 255, to `out`: rounded to uint8, or float32;
    spoils `patch`."""
    import cv2

    too_bright = np.any(np.maximum(affine, 0) @ [*[_WHITE] * 3, 1] > _BRIGHTEST)
    for top in range(0, len(out), _BAND):
        band, target = patch[top : top + _BAND], out[top : top + _BAND]
        ones, logs, light = (
            room[: len(band)] for room in (scratch.ones, scratch.logs, scratch.colours)
        )
        cv2.max(band, ones, band)  # black has no logarithm
        # logs = band as float32, in half the time that numpy takes
        cv2.accumulateWeighted(band, logs, 1.0)
        cv2.log(logs, logs)
        cv2.transform(logs, affine, light)
        if too_bright:  # beyond what uint8 and float32 hold
            cv2.threshold(light, _BRIGHTEST, _BRIGHTEST, cv2.THRESH_TRUNC, light)
        cv2.exp(light, light)
        if target.dtype == np.uint8:
            cv2.convertScaleAbs(light, target)
        else:
            cv2.threshold(light, 255, 255, cv2.THRESH_TRUNC, target)
