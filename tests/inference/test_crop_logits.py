"""Crops through a classifier: any number of them, in batches of one shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from midog.inference.crop_logits import BATCH, crop_logits
from midog.inference.verifier import build_classifier
from midog.training.tasks.registry import VerifySettings

SETTINGS = VerifySettings(body="own", maps=1, crop=32)
CPU = torch.device("cpu")


class Recording(torch.nn.Module):
    """Keeps the crops that it is shown; the log odds are the red of the middle px."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[torch.Tensor] = []

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        self.shown.append(images)
        return torch.stack([torch.zeros(len(images)), images[:, 0, 16, 16] * 255], 1)


@pytest.mark.parametrize("count", [0, 1, BATCH, 2 * BATCH + 3])
def test_any_number_of_crops_goes_through_in_batches_of_one_shape(count):
    network = Recording()

    def cut(number: int, out: np.ndarray) -> None:
        out[:] = number

    assert crop_logits(network, cut, count, 32, CPU).tolist() == pytest.approx(list(range(count)))
    assert {len(crops) for crops in network.shown} <= {BATCH}
    assert len(network.shown) == -(-count // BATCH)


def test_a_crop_scores_the_same_beside_others():
    torch.manual_seed(0)
    network = build_classifier(SETTINGS).for_inference()
    crops = np.random.default_rng(0).integers(0, 255, (40, 32, 32, 3), dtype=np.uint8)

    def scores(numbers: list[int]) -> list[float]:
        def cut(number: int, out: np.ndarray) -> None:
            out[:] = crops[numbers[number]]

        return crop_logits(network, cut, len(numbers), 32, CPU).tolist()

    together = scores(list(range(40)))
    assert scores([7, 39, 3]) == [together[7], together[39], together[3]]
