"""The device's JPEG: libjpeg's own result to within a few levels, and as much lost."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from midog.augment.jpeg_blocks import through_jpeg
from tests.stained import USUAL, painted


def tissue(side: int = 96) -> np.ndarray:
    """Painted stains, blurred as a microscope does."""
    patches = painted(USUAL, patches=3, side=side, seed=4)
    return np.stack([cv2.GaussianBlur(patch, (0, 0), 1.5) for patch in patches])


def by_libjpeg(patch: np.ndarray, quality: int) -> np.ndarray:
    _, file = cv2.imencode(".jpg", patch[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1]


@pytest.mark.parametrize("quality", [10, 50, 95])
def test_it_is_libjpegs_result_to_within_a_few_levels(quality):
    patches = tissue()
    images = torch.from_numpy(patches).permute(0, 3, 1, 2) / 255
    ours = through_jpeg(images, torch.full((3,), quality)).mul(255).permute(0, 2, 3, 1).numpy()
    for patch, own in zip(patches, ours, strict=True):
        theirs = by_libjpeg(patch, quality).astype(float)
        off, lost = np.abs(own - theirs), np.abs(theirs - patch)
        assert off.mean() < 0.7, "of a level; with colours at full resolution it is 1.4 or more"
        assert (off > 4).mean() < 0.02
        assert abs(np.abs(own - patch).mean() - lost.mean()) < 0.02 * lost.mean()


def test_a_side_that_is_no_multiple_of_16_is_filled_up_as_libjpeg_does():
    patches = np.ascontiguousarray(tissue()[:, :50, :50])
    images = torch.from_numpy(patches).permute(0, 3, 1, 2) / 255
    ours = through_jpeg(images, torch.full((3,), 60)).mul(255).permute(0, 2, 3, 1).numpy()
    assert ours.shape == patches.shape
    for patch, own in zip(patches, ours, strict=True):
        assert np.abs(own - by_libjpeg(patch, 60)).mean() < 0.7


def test_every_patch_has_its_own_quality():
    images = torch.from_numpy(tissue()[:1]).permute(0, 3, 1, 2).expand(2, -1, -1, -1) / 255
    both = through_jpeg(images, torch.tensor([20, 90]))
    for place, quality in enumerate((20, 90)):
        alone = through_jpeg(images[:1], torch.tensor([quality]))
        torch.testing.assert_close(both[place], alone[0], rtol=0, atol=1e-6)
    lost = (both - images).abs().mean(dim=(1, 2, 3))
    assert lost[0] > 2 * lost[1]
