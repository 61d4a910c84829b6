"""The exponential average of a network's weights, moved in few kernels without waiting for them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class Average:
    """Exponential average of weights and BatchNorm statistics, in a copy of the network: `module`.

    The decay rises as (1 + n) / (10 + n) over the updates n, so that a short run is not an average
    of its beginning; the first update copies. The state dict has the names of
    torch.optim.swa_utils.AveragedModel.

    Args:
        network: Already on its device; it must stay there.
        decay: In [0, 1), reached after some updates.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(network).requires_grad_(False)
        self.decay = decay
        self.count = 0
        """Updates so far, kept on the host: torch's own class asks the device at every update."""
        # listed once: to walk through the modules takes longer than to move the weights
        self._pairs = [_sorted(network), _sorted(self.module)]

    @torch.no_grad()
    def update(self) -> None:
        """Move towards the network as it is now."""
        (floats, others), (averages, copies) = self._pairs
        if self.count:
            torch._foreach_lerp_(
                averages, floats, 1 - min(self.decay, (1 + self.count) / (10 + self.count))
            )
        else:
            torch._foreach_copy_(averages, floats)
        if others:
            torch._foreach_copy_(copies, others)
        self.count += 1

    def state_dict(self) -> dict[str, Tensor]:
        """Return all tensors by name."""
        weights = {f"module.{name}": value for name, value in self.module.state_dict().items()}
        return {"n_averaged": torch.tensor(self.count), **weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up a state.

        Raises:
            KeyError: A tensor is missing.
            RuntimeError: The state is of another network.
        """
        weights = {
            name.removeprefix("module."): value
            for name, value in state.items()
            if name != "n_averaged"
        }
        self.module.load_state_dict(weights)
        self.count = int(state["n_averaged"])


def _sorted(network: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """The network's weights and statistics, and its other buffers: BatchNorm's batch counts."""
    floats: list[Tensor] = []
    others: list[Tensor] = []
    for tensor in (*network.parameters(), *network.buffers()):
        (floats if tensor.is_floating_point() else others).append(tensor)
    return floats, others
