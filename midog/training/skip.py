"""An update whose gradient is not finite is skipped on the device, and nothing waits to see it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer


class Statistics:
    """The BatchNorm statistics of a network as they were after its last good update.

    A forward pass moves them before anybody sees that its loss is not finite.

    Args:
        network: On its device; it must stay there.
    """

    def __init__(self, network: nn.Module) -> None:
        norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
        self._buffers = [
            buffer
            for norm in norms
            for buffer in (norm.running_mean, norm.running_var)
            if buffer is not None
        ]
        self._kept = self._flat() if self._buffers else torch.empty(0)

    @torch.no_grad()
    def settle(self, bad: Tensor) -> None:
        """Go back to the statistics before the update where it was bad, a bool on the device."""
        if self._buffers:
            self._kept = torch.where(bad, self._kept, self._flat())
            sizes = [buffer.numel() for buffer in self._buffers]
            torch._foreach_copy_(self._buffers, list(torch.split(self._kept, sizes)))

    def _flat(self) -> Tensor:
        return torch.cat([buffer.detach() for buffer in self._buffers])


def step_if(optimizer: Optimizer, good: Tensor) -> None:
    """Have the optimizer make its step where `good`, a bool on the device, is true.

    A fused optimizer asks the device itself; another one waits for the answer.

    Args:
        optimizer: As fabric set it up, or bare.
        good: Whether the gradient is finite.
    """
    bare: Any = getattr(optimizer, "optimizer", optimizer)
    if not bare.defaults.get("fused"):
        if good:
            optimizer.step()
        return
    bare.found_inf, bare.grad_scale = (~good).float(), None
    try:
        optimizer.step()
    finally:
        del bare.found_inf, bare.grad_scale


def start_momentum(optimizer: torch.optim.SGD) -> None:
    """Give every weight a momentum of zero: the first step equals that without one.

    The fused kernel would leave it as it finds it, uninitialised, were the first step skipped.
    """
    for group in optimizer.param_groups:
        for weight in group["params"]:
            optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
