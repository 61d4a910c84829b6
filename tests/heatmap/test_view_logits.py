"""Windows scored: each for itself, all views of it turned alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from midog.errors import DeviceError
from midog.heatmap.view_logits import view_logits
from midog.inference.orientations import AS_IT_IS, orientations
from midog.models.classifiers.views import View
from tests.heatmap.drawn import Purple

CPU = torch.device("cpu")


class Cut:
    """Windows that are there already."""

    def __init__(self, *views: np.ndarray) -> None:
        self.views = views

    def __len__(self) -> int:
        return len(self.views[0])

    def cut(self, begin: int, end: int) -> tuple[np.ndarray, ...]:
        return tuple(view[begin:end] for view in self.views)


class Corners(Purple):
    """Compares the upper left px of two views: red in the first, green in the second."""

    def views(self, side: int) -> tuple[View, ...]:
        return View(side), View(side // 2, 4)

    def logits(self, images: list[Tensor]) -> Tensor:
        first, second = images
        assert first.shape[0] == second.shape[0] == 32
        score = first[:, 0, 0, 0] - second[:, 1, 0, 0]
        return torch.stack([torch.zeros_like(score), score], dim=1)


def test_the_score_of_a_window_does_not_depend_on_the_others():
    rng = np.random.default_rng(0)
    windows = rng.integers(0, 255, (70, 16, 16, 3), dtype=np.uint8)
    scores = view_logits(Purple(), Cut(windows), AS_IT_IS, CPU)
    assert scores.shape == (70,)
    assert np.array_equal(view_logits(Purple(), Cut(windows[40:43]), AS_IT_IS, CPU), scores[40:43])
    assert view_logits(Purple(), Cut(windows[:0]), AS_IT_IS, CPU).shape == (0,)


def test_all_views_are_turned_alike():
    first, second = np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 4, 4, 3), np.uint8)
    first[0, 0, 7, 0] = second[0, 0, 3, 1] = 255  # both in the upper right corner
    scores = [
        float(view_logits(Corners(), Cut(first, second), one, CPU)[0]) for one in orientations(8)
    ]
    assert scores == [0] * 8
    second[0, 0, 3, 1] = 0
    scores = [
        float(view_logits(Corners(), Cut(first, second), one, CPU)[0]) for one in orientations(8)
    ]
    assert sorted(scores) == [0] * 6 + [1] * 2, "each corner is upper left in two of eight"


def test_a_device_without_memory_is_one_line():
    class Full(Purple):
        def logits(self, images: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(DeviceError, match="cpu is out of memory with 32 windows at a time"):
        view_logits(Full(), Cut(np.zeros((1, 16, 16, 3), np.uint8)), AS_IT_IS, CPU)
