"""What the processes of one training do together; with one process all of it is free."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from midog.errors import MidogError
from midog.training.interrupts import Interrupted, Interrupts

Result = TypeVar("Result")


def on_first(fabric: Fabric, action: Callable[[], Result]) -> Result:
    """Run `action` on the first process and return its result on all of them.

    Raises:
        MidogError: The one that `action` raises, on all of them.
    """
    outcome: Result | MidogError | None = None
    if fabric.is_global_zero:
        try:
            outcome = action()
        except MidogError as error:
            outcome = error
    outcome = fabric.broadcast(outcome)
    if isinstance(outcome, MidogError):
        outcome.of_all_ranks = True
        raise outcome
    return cast(Result, outcome)


def on_any(fabric: Fabric, flag: bool) -> bool:
    """Return whether the flag is set on any process; on a GPU this waits for the device."""
    return fabric.strategy.reduce_boolean_decision(flag, all=False)


def mean_over_ranks(fabric: Fabric, values: Tensor) -> Tensor:
    """Return the mean of the processes' values, of one shape on all; on a GPU nobody waits."""
    if fabric.world_size == 1:
        return values
    return cast(Tensor, fabric.all_reduce(values.clone(), reduce_op="mean"))


def stop_together(fabric: Fabric, interrupts: Interrupts) -> None:
    """Raise Interrupted on all processes, with one signal, where a stop was requested of any."""
    signum = interrupts.signum or 0
    if fabric.world_size > 1:
        highest = torch.tensor(signum, device=fabric.device)
        torch.distributed.all_reduce(highest, op=torch.distributed.ReduceOp.MAX)
        signum = int(highest)
    if signum:
        raise Interrupted(signum)


def gather(fabric: Fabric, value: Result) -> list[Result]:
    """Return the values of all processes, by rank."""
    if fabric.world_size == 1:
        return [value]
    values: list[Result | None] = [None] * fabric.world_size
    torch.distributed.all_gather_object(values, value)
    return cast(list[Result], values)


def share_buffers(fabric: Fabric, network: nn.Module) -> None:
    """Take the first process's buffers: each has BatchNorm statistics of its own until then."""
    if fabric.world_size > 1:
        for buffer in network.buffers():
            torch.distributed.broadcast(buffer, src=0)
