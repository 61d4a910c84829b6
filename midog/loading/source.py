"""Source: what batches are made of, seen by the threads, buffers and ranks that make them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from torch import Tensor

from midog.augment.draw import Augmentation

LocationT = TypeVar("LocationT")
TargetsT = TypeVar("TargetsT", bound=Mapping[str, object], covariant=True)


@dataclass(frozen=True, eq=False)
class Batch(Generic[TargetsT]):
    """Patches of one step, valid until the next batch is requested: then their memory is reused.

    views: every view of the patches, (B, H, W, 3) uint8 each, on the CPU, or on the device where
    the source's pixels are. targets: tensors by name, on the CPU, moved already as the patches are
    or are to be. indices: of their draws in the epoch. augmentation: what is left for the device to
    do; None: the patches are as they are to be.
    """

    views: tuple[Tensor, ...]
    targets: TargetsT
    indices: list[int]
    augmentation: Augmentation | None = None

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def images(self) -> Tensor:
        """The view, where a source has only one."""
        (only,) = self.views
        return only


class Source(Protocol[LocationT, TargetsT]):
    """Where to look, what is seen there, and what it is a target for.

    A location is whatever the source takes it to be: a place in an ROI, in a slide at several
    levels, or in one of several streams (labelled, unlabelled). All methods are pure functions but
    for the memory that they are given, and are called from any thread.
    """

    @property
    def view_shapes(self) -> tuple[tuple[int, ...], ...]:
        """(H, W, 3) of each view of a patch; empty where pixels lie on the device already."""

    def __len__(self) -> int:
        """Number of draws in an epoch."""

    def locations(self, seed: int, epoch: int) -> Callable[[Sequence[int]], list[LocationT]]:
        """Return the function from indices of an epoch's draws to their locations.

        Indices beyond the epoch's length fill up the last batch of a training.
        """

    def augmentation(
        self, seed: int, epoch: int, indices: Sequence[int], locations: Sequence[LocationT]
    ) -> Augmentation | None:
        """Return what is done to the patches of some draws; None: they stay as they are.

        Args:
            seed, epoch, indices: Of the draws.
            locations: Of the same draws.
        """

    def pixels(
        self,
        locations: Sequence[LocationT],
        augmentation: Augmentation | None,
        out: Sequence[Tensor],
    ) -> tuple[tuple[Tensor, ...], Augmentation | None]:
        """Cut the patches at some locations.

        Args:
            locations: B of them.
            augmentation: Of these patches.
            out: Memory for each view, (B, H, W, 3) uint8 on the CPU; empty as `view_shapes` is.

        Returns:
            The views, `out` or tensors on the device, and the augmentation that is left to do.
        """

    def targets(
        self, locations: Sequence[LocationT], augmentation: Augmentation | None
    ) -> TargetsT:
        """Return the targets of patches, moved as the augmentation moves them; on the CPU."""

    def cutting(self) -> AbstractContextManager[object]:
        """Return what is to be in force while threads cut patches."""
