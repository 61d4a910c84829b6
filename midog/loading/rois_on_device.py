"""ROIs on a device: one flat buffer of bytes, from which the patches of a batch are gathered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from midog.devices import copies_alone
from midog.images.tiff_mapped import AnyPixels
from midog.loading.buffers import pinned
from midog.loading.locations import Location


@dataclass(frozen=True, eq=False)
class RoisOnDevice:
    """ROIs row after row in one buffer, with room before the first and after the last for a patch
    that reaches beyond.

    bytes: (T,) uint8 on the device. starts: (ROIs,) int64, where each begins in it. sizes: (ROIs,
    2) int64, width and height in px. side: of the patches, px.
    """

    bytes: Tensor
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    side: int

    def images(self) -> list[Tensor]:
        """Return views of the ROIs, (H, W, 3) uint8 each."""
        return [
            self.bytes[start : start + 3 * width * height].view(height, width, 3)
            for start, (width, height) in zip(
                self.starts.tolist(), self.sizes.tolist(), strict=True
            )
        ]

    def patches(self, locations: Sequence[Location]) -> Tensor:
        """Return patches (B, side, side, 3) uint8, white beyond the edges. No loop and no wait."""
        corners, inside = self.corners(locations)
        return self.gather(pinned(corners, self.bytes.device), inside)

    def gather(self, corners: Tensor, inside: bool) -> Tensor:
        """Return the patches at corners of `corners`.

        Args:
            corners: (B, 5) int64.
            inside: Whether all of them lie in their ROI, so that nothing is beyond.
        """
        device = self.bytes.device
        start, x, y, width, height = corners.to(device, non_blocking=copies_alone(device))[
            :, :, None
        ].unbind(1)
        along = torch.arange(self.side, device=device)
        row = 3 * self.side
        # a view of each run of a patch row's length, so that one number picks a row of a patch
        runs = self.bytes.as_strided((len(self.bytes) - row + 1, row), (1, 1))
        first = start + 3 * (
            (y + along).clamp(min=0).minimum(height - 1) * width
            + x.clamp(min=-self.side).minimum(width)
        )
        patches = runs[first.flatten()].view(-1, self.side, self.side, 3)
        if inside:
            return patches
        rows, columns = (
            (at + along >= 0) & (at + along < extent) for at, extent in ((y, height), (x, width))
        )
        return torch.where((rows[:, :, None] & columns[:, None, :])[..., None], patches, 255)

    def corners(self, locations: Sequence[Location]) -> tuple[Tensor, bool]:
        """Say where patches lie in the buffer.

        Returns:
            (B, 5) int64 on the CPU: start of the ROI, x, y, width, height; and whether all patches
            lie inside their ROI.
        """
        roi, x, y = np.array([place[:3] for place in locations], np.int64).T
        width, height = self.sizes[roi].T
        within = (x >= 0) & (y >= 0) & (x + self.side <= width) & (y + self.side <= height)
        rows = np.stack([self.starts[roi], x, y, width, height], axis=1)
        return torch.from_numpy(rows), bool(within.all())


def copy_to_device(images: Sequence[AnyPixels], side: int, device: torch.device) -> RoisOnDevice:
    """Copy ROIs to a device, one after the other.

    Args:
        images: (H, W, 3) uint8 each.
        side: Of the patches that will be gathered, px.
        device: A CPU is one as well.
    """
    sizes = np.array([(image.shape[1], image.shape[0]) for image in images], np.int64).reshape(
        -1, 2
    )
    ends = 3 * side + np.cumsum(3 * sizes.prod(axis=1))
    starts = ends - 3 * sizes.prod(axis=1)
    whole = torch.empty(int(ends[-1]) + 3 * side, dtype=torch.uint8, device=device)
    copied = RoisOnDevice(whole, starts, sizes, side)
    for place, image in zip(copied.images(), images, strict=True):
        place.copy_(torch.from_numpy(np.array(image)))
    return copied
