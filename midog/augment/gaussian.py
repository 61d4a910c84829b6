"""The Gaussian average by which patches are blurred and sharpened: sigma 1 px over 5 x 5 px."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


def gaussian_on_device(images: Tensor) -> Tensor:
    """Return the average of (B, 3, H, W), mirrored at the edges, not the edge itself."""
    import torch
    import torch.nn.functional as F

    taps = torch.exp(-0.5 * torch.arange(-2, 3, dtype=images.dtype, device=images.device) ** 2)
    kernel = (torch.outer(taps, taps) / taps.sum() ** 2).expand(3, 1, 5, 5)
    return F.conv2d(F.pad(images, (2, 2, 2, 2), mode="reflect"), kernel, groups=3)


def gaussian_on_cpu(
    light: NDArray[np.float32], out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Return the same average of (H, W, 3) float32, in `out` where it is given."""
    import cv2
    import numpy as np

    return np.asarray(cv2.GaussianBlur(light, (5, 5), 1, out, borderType=cv2.BORDER_REFLECT_101))
