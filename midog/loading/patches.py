"""Labelled patches as a source of batches: decoded once, mapped, augmented as they are drawn."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO, Literal, cast

import numpy as np

from midog.augment.draw import of_pixels_alone
from midog.augment.on_cpu import Scratch
from midog.boxes import IntArray
from midog.config.schema import AugmentSettings
from midog.data.patches.hdf5 import blocks_of, masks_of
from midog.data.patches.patch_set import LARGEST_SIDE, PatchSet
from midog.devices import machine_memory
from midog.errors import ConfigError, DataError
from midog.images.cache import cached_array, default_cache_dir
from midog.images.image import open_image
from midog.images.opened_file import warn_once
from midog.images.pixels import Pixels
from midog.images.tiff_mapped import AnyPixels, crop_into
from midog.loading.crops import CropSource, Drawing, Draws, Passes, Places, crop_corner, cut_crop

logger = logging.getLogger(__name__)

Balance = Literal["none", "draws", "loss"]
"""Of two classes: none; both are drawn equally often; or the rarer one weighs more in the loss."""

_FORMAT = "1"  # of cached patches: raise it when the same file would decode to other bytes


def decode_patches(patches: PatchSet, *, cache: bool, side: int | None = None) -> Pixels:
    """Return the pixels of patches, decoded once.

    Those of an HDF5 file become a memory map of a file in the cache folder, keyed by the file's
    bytes, which later processes map at once; see `cached_array`. Pictures are decoded into memory.

    Args:
        patches: N of S px.
        cache: Whether to keep them in the cache folder; else they are decoded into memory.
        side: Pictures are brought to that side, px: their middle, mirrored at the edge where they
            are smaller. None: all must have one size.

    Returns:
        (N, S, S, 3) uint8, read-only; those of an HDF5 file have its S.

    Raises:
        DataError: A file is damaged, sizes differ, or memory is too small.
        ImageError: A picture cannot be read.
    """
    if not patches.side:
        pixels = _decode_pictures(patches, side)
    else:
        kept = _mapped(patches) if cache else None
        pixels = _read_all(patches) if kept is None else kept
    shape = len(patches), *pixels.shape[1:]
    if pixels.shape != shape:
        raise DataError(
            f"{patches.files[0]} holds {len(pixels)} patches, {len(patches)} when it was opened",
            "leave files as they are while they are read",
        )
    pixels.flags.writeable = False
    return pixels


def decode_masks(patches: PatchSet) -> Pixels:
    """Read the masks of patches into memory.

    Args:
        patches: N of S px, whose masks are an HDF5.

    Returns:
        (N, S, S, 1) uint8, 0 or 1.

    Raises:
        DataError: The file is damaged or of other patches, or memory is too small.
    """
    assert patches.masks is not None
    masks = _room(patches, patches.side, channels=1)
    masks_of(patches.masks, (len(patches), patches.side), masks)
    return masks


def patch_source(
    pixels: Pixels, labels: IntArray, side: int | None = None, draws: Drawing | None = None
) -> CropSource:
    """Return patches as a `Source`, not augmented.

    Args:
        pixels: (N, S, S, 3) uint8.
        labels: (N,) int64.
        side: The middle of each patch that is taken, px; None: all of it.
        draws: How an epoch draws them; None: each once, in order.

    Raises:
        ConfigError: The patches are smaller.
    """
    count, whole = pixels.shape[:2]
    if side is not None and side > whole:
        raise ConfigError(
            f"task.side={side} is over the {whole} px of the patches",
            "choose at most",
            {"task.side": whole},
        )
    places = Places(np.arange(count), np.full((count, 2), whole / 2), labels)
    images = cast(Sequence[AnyPixels], pixels)
    return CropSource(images, places, side or whole, "mirrored", draws)


def training_patches(
    pixels: Pixels,
    labels: IntArray,
    augment: AugmentSettings,
    *,
    side: int | None,
    balance: Balance,
    length: int | None,
    jitter: float,
    on_cpu: bool,
    masks: Pixels | None = None,
) -> CropSource:
    """Return the source of training patches.

    Args:
        pixels, labels, side: As of `patch_source`.
        augment: What is drawn; ops that need more than a patch's pixels are left out, with a line.
        balance: "draws": each class has half of the draws, with replacement; else every patch comes
            once before one comes again.
        length: Draws of an epoch; None: as many as there are patches.
        jitter: Largest shift of a patch along x and y, px, its edge mirrored.
        on_cpu: Threads augment the patches; else it is left to the device.
        masks: (N, S, S, 1) uint8, 0 or 1, of the patches.
    """
    draws = drawing(labels, balance, length, jitter)
    own = of_patches(augment)
    source = patch_source(pixels, labels, side, draws)
    scratch = Scratch(source.side) if on_cpu else None
    return replace(source, augment=own, scratch=scratch, masks=cast(Any, masks))


def drawing(labels: IntArray, balance: Balance, length: int | None, jitter: float) -> Drawing:
    """Return how an epoch draws patches; arguments as of `training_patches`."""
    if balance == "draws":
        groups = [np.flatnonzero(labels == label) for label in (0, 1)]
        return Draws(groups, [0.5, 0.5], length or len(labels), jitter)
    return Passes(len(labels), length or len(labels), jitter)


def of_patches(augment: AugmentSettings) -> AugmentSettings:
    """Return the ops that need a patch's pixels alone; a line names what is left out."""
    own = of_pixels_alone(augment)
    if left_out := [name for name, value in own if value != getattr(augment, name)]:
        logger.warning("augment.%s: not for patches, and left out", ", ".join(left_out))
    return own


def _mapped(patches: PatchSet) -> Pixels | None:
    """The patches of an HDF5 file from the cache folder; None where that cannot be used."""
    (path,) = patches.files
    folder = default_cache_dir() / "patches"

    def write(file: BinaryIO) -> None:
        shape = len(patches), patches.side, patches.side, 3
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks_of(path):
            file.write(block.data)

    try:
        mapped = cached_array(folder, path, _FORMAT, write)
    except OSError as error:
        reason = error.strerror or error
        warn_once(f"cache folder {folder} cannot be used ({reason}): decoding into memory")
        return None
    return np.asarray(mapped)  # a plain view: its patches are taken without making a map of each


def _read_all(patches: PatchSet) -> Pixels:
    pixels = _room(patches, patches.side)
    begin = 0
    for block in blocks_of(patches.files[0]):
        pixels[begin : begin + len(block)] = block
        begin += len(block)
    return pixels


def _decode_pictures(patches: PatchSet, side: int | None) -> Pixels:
    pixels = np.empty((0, 0, 0, 3), np.uint8)
    for number, path in enumerate(patches.files):
        with open_image(path) as image:
            size = image.width, image.height
            if not number:
                pixels = _room(patches, side or size[0])
            own = side or pixels.shape[1]
            if max(size) > LARGEST_SIDE or (side is None and size != (own, own)):
                others = f", {patches.files[0].name} is {own} px wide" * bool(number)
                raise DataError(
                    f"{path} is {size[0]}x{size[1]} px{others}",
                    f"give square patches of one size, at most {LARGEST_SIDE} px, or name the side"
                    " to which all are brought with {task.side}",
                    {"task.side": None},
                )
            whole = image.read(0, 0, *size)
        x, y = (crop_corner(length / 2, 0, own)[0] for length in size)
        cut_crop(size, partial(crop_into, whole), x, y, "mirrored", pixels[number])
    return pixels


def _room(patches: PatchSet, side: int, channels: int = 3) -> Pixels:
    """Memory for all patches.

    Raises:
        DataError: The machine has not as much.
    """
    needed = channels * side**2 * len(patches)
    if needed > machine_memory():
        raise DataError(
            f"{len(patches)} patches of {side} px take {needed / 2**30:.0f} GiB of memory, and this"
            f" machine has {machine_memory() / 2**30:.0f}",
            "give HDF5 files, and let {data.cache} be true",
            {"data.cache": True},
        )
    return np.empty((len(patches), side, side, channels), np.uint8)
