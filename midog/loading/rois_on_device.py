"""ROIs on a device: one flat buffer of bytes, from which the patches of a batch are gathered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
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

    def views(self, locations: Sequence[Location], side: int) -> Tensor:
        """Return patches (B, side, side, 3), resampled from their windows where they have some.

        Args:
            locations: Of the patches; no window is larger than `self.side`.
            side: Of the patches, px, at most `self.side`.
        """
        if all(place.window is None for place in locations):
            return replace(self, side=side).patches(locations)
        device = self.bytes.device
        sides = pinned(torch.tensor([place.window or side for place in locations]), device)
        sides = sides.to(device, non_blocking=copies_alone(device))
        return resampled(self.patches(locations), sides, side)

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


def resampled(windows: Tensor, sides: Tensor, side: int) -> Tensor:
    """Return the upper left corners of patches, resampled to one size on their device.

    It is OpenCV's linear interpolation, to within a grey level.

    Args:
        windows: (B, W, W, 3) uint8.
        sides: (B,) int64, sides of the corners, at most W, px.
        side: Of the patches that are made of them, px.

    Returns:
        (B, side, side, 3) uint8.
    """
    along = torch.arange(side, device=windows.device) + 0.5
    places = along * (sides[:, None] / side) - 0.5
    places = places.clamp(min=0).minimum(sides[:, None] - 1)
    grid = (2 * places + 1) / windows.shape[1] - 1
    grid = torch.stack(
        [grid[:, None, :].expand(-1, side, -1), grid[:, :, None].expand(-1, -1, side)], dim=-1
    )
    light = windows.permute(0, 3, 1, 2).to(torch.float32)
    patches = F.grid_sample(light, grid, mode="bilinear", align_corners=False)
    return patches.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def copy_to_device(images: Sequence[AnyPixels], side: int, device: torch.device) -> RoisOnDevice:
    """Copy ROIs to a device, one after the other.

    Args:
        images: (H, W, 3) uint8 each.
        side: Of the patches that will be gathered, px, or of the largest of them.
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
