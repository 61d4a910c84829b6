"""Windows scored px by px: the mean of their middle, whichever way they are shown."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from midog.heatmap.compute import MapSettings
from midog.heatmap.mask_means import mask_means
from midog.inference.orientations import AS_IT_IS, orientations
from tests.heatmap.drawn import SIDE, TUMOUR, Purple, classifier
from tests.heatmap.test_compute import compute
from tests.heatmap.test_view_logits import Cut


class PurplePx(Purple):
    """Scores every px by its colour."""

    needs_masks = True

    def logits(self, images: Tensor) -> Tensor:
        """Score no window."""
        raise AssertionError("px are scored, not windows")

    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """Score px."""
        _, green, blue = images.unbind(dim=1)
        fine = (60 * (blue - green - 0.225))[:, None]
        return fine, torch.zeros_like(fine)


def test_the_middle_of_a_window_is_averaged_and_the_rest_is_not(tmp_path):
    windows = np.full((40, SIDE, SIDE, 3), (225, 170, 205), np.uint8)
    windows[7, 12:20, 12:16] = (130, 80, 160)  # half of the middle 8 px
    windows[9, :12] = (130, 80, 160)
    own = classifier(tmp_path, PurplePx())
    means = mask_means(own, Cut(windows), AS_IT_IS, 8)
    assert means[7] == pytest.approx(0.5, abs=0.01)
    assert np.delete(means, 7) == pytest.approx(np.zeros(39), abs=0.01)
    for orientation in orientations(8):
        assert mask_means(own, Cut(windows), orientation, 8) == pytest.approx(means, abs=1e-6)
    whole = mask_means(own, Cut(windows), AS_IT_IS, SIDE)
    assert whole[9] == pytest.approx(12 / 32, abs=0.01)


@pytest.mark.parametrize("stride", [8, 16])
def test_a_map_of_px_has_sharp_edges_where_tumour_has(tmp_path, stride):
    own = compute(tmp_path, PurplePx(), settings=MapSettings(stride))
    x1, y1, x2, y2 = (side // stride for side in TUMOUR)
    expected = np.zeros(own.values.shape)
    expected[y1:y2, x1:x2] = 1
    assert own.values == pytest.approx(expected, abs=0.01)
