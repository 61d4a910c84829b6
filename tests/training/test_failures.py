"""What stops a run is told with what to do; see test_loop for whole runs that stop so."""

from __future__ import annotations

import pytest
import torch

from midog.config.load import load_config
from midog.training.failures import _first_bad, fitting_batch, no_memory


class Hungry(torch.nn.Module):
    """Has room for three patches."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.weight, self.room = torch.nn.Parameter(torch.ones(1)), room

    def forward(self, images, targets):
        if len(images) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return {"loss": self.weight.sum() * images.sum()}


@pytest.mark.parametrize(("room", "fits"), [(100, 8), (3, 2), (1, 1), (0, 0)])
def test_the_batch_size_that_is_advised_was_tried(room, fits):
    config = load_config(None, ["train.batch_size=16", "sampling.patch_size=64"])
    assert fitting_batch(Hungry(room), config, torch.device("cpu")) == fits


def test_where_not_even_the_rois_fit_they_go_to_disk():
    assert "machine.residency=disk" in str(no_memory(None, load_config(), torch.device("cpu")))


@pytest.mark.parametrize(
    ("losses", "norms", "accumulate", "first"),
    [
        (
            [1, 1, 0, 0],
            [1, 0, 0, 0],
            1,
            1,
        ),  # the gradient of batch 1 spoilt the weights: what follows is its doing
        ([1, 0, 0, 0], [1, 0, 0, 0], 1, 1),
        ([1, 1, 1, 1], [1, 1, 1, 0], 1, 3),
        ([1, 1, 1, 0], [1, 0], 2, 2),
        ([0, 1, 1, 1], [1, 1], 2, 0),
    ],
)
def test_the_batch_that_is_named_is_the_first_whose_loss_or_gradient_is_not_finite(
    losses, norms, accumulate, first
):
    assert _first_bad(torch.tensor(losses).bool(), torch.tensor(norms).bool(), accumulate) == first
