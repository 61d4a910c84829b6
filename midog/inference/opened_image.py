"""An image that is open for the members of a detector: tiles that several share are read once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

from torch import Tensor

from midog.data.mpp import mpp_of_image
from midog.images.image import SlideImage
from midog.images.tiff_mapped import AnyPixels
from midog.inference.member import Member
from midog.inference.stage_times import StageTimes
from midog.inference.tile_plan import TilePlan
from midog.inference.tiles import Extent, OpenTiles, ResidentTiles, Tiles, as_opened
from midog.mpp import Mpp, MppLike
from midog.tiling import Mask
from midog.tissue.mask import TissueMask

LookedAt = Callable[[TilePlan], Mask]
"""Tells which tiles of a plan are looked at, (T,) bool."""


@dataclass(frozen=True, eq=False)
class OpenedImage:
    """An open image and its tiles; closing it (or leaving `with`) ends the threads that read.

    Attributes:
        image: The image.
        mpp: um/px of the image.
        groups: Tiles, and the members that are shown these.
        own: Whether closing this closes the image.
        times: What reading, network and merging took so far.
        tissue: The mask by which tiles were left out; None: none was.
        only_inside: Detections count where `tissue` is alone.
    """

    image: SlideImage | Extent
    mpp: Mpp
    groups: tuple[tuple[Tiles, tuple[Member, ...]], ...]
    own: bool
    times: StageTimes = field(default_factory=StageTimes)
    tissue: TissueMask | None = None
    only_inside: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the threads; close the image if it is this object's own."""
        for tiles, _ in self.groups:
            if isinstance(tiles, OpenTiles):
                tiles.close()
        if self.own and isinstance(self.image, SlideImage):
            self.image.close()


def open_for(
    members: Sequence[Member],
    image: Path | str | AnyPixels | SlideImage,
    *,
    mpp: MppLike | None,
    workers: int,
    looked_at: LookedAt | None = None,
) -> OpenedImage:
    """Open an image for members, whose tiles are read ahead from now on.

    Args:
        members: Networks on one device.
        image: A file, pixels (H, W, 3) uint8 RGB, or an open image (left open).
        mpp: um/px of the image, or those along x and y; overrules what the file states.
        workers: Threads that read tiles.
        looked_at: Which tiles are read; None: all.

    Raises:
        ImageError: Where the image cannot be read or its mpp is unknown.
    """
    opened = image if isinstance(image, SlideImage) else as_opened(image)
    try:
        own_mpp = mpp_of_image(opened, mpp)
        pinned = members[0].device.type == "cuda"
        times = StageTimes()
        tiles_of = partial(OpenTiles, opened, own_mpp, workers=workers, pinned=pinned, times=times)
        groups = tuple(
            (tiles_of(plan, looked_at=None if looked_at is None else looked_at(plan)), of_plan)
            for plan, of_plan in _grouped(members, lambda own: own.plan(opened, own_mpp)).items()
        )
        return OpenedImage(opened, own_mpp, groups, opened is not image, times)
    except BaseException:
        if opened is not image:
            opened.close()
        raise


def resident(members: Sequence[Member], pixels: Tensor) -> OpenedImage:
    """Wrap pixels (H, W, 3) uint8 of the members' mpp that lie on their device."""
    (mpp,) = {member.mpp for member in members}
    height, width = pixels.shape[:2]
    by_plan = _grouped(members, lambda own: own.plan_of((width, height), (1.0, 1.0)))
    groups = tuple((ResidentTiles(pixels, plan), of_plan) for plan, of_plan in by_plan.items())
    return OpenedImage(Extent(width, height), Mpp.of(mpp), groups, own=False)


def _grouped(
    members: Sequence[Member], plan_of: Callable[[Member], TilePlan]
) -> dict[TilePlan, tuple[Member, ...]]:
    """The members by how they divide the image."""
    groups: dict[TilePlan, tuple[Member, ...]] = {}
    for member in members:
        plan = plan_of(member)
        groups[plan] = (*groups.get(plan, ()), member)
    return groups
