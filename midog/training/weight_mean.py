"""The mean of the weights of a run's last validations, with BatchNorm statistics of its own."""

from __future__ import annotations

from itertools import islice
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from midog.config.schema import TrainSettings
from midog.training.learner import Learner
from midog.training.optimise import is_due
from midog.training.tasks.task import Task

NORM_BATCHES = 64
"""Training batches, at most, from which BatchNorm statistics are taken anew."""


def average_last(learner: Learner, task: Task[Any, Any], settings: TrainSettings) -> None:
    """Add the weights to the mean of those of the run's last validations, where this is one.

    Stochastic weight averaging (Izmailov et al. 2018, arXiv:1803.05407, algorithm 1) over the last
    `average_last` validations; before them nothing is averaged. The learner's `validated` weights
    are then the mean. To call it twice in an epoch, as a run does that was stopped in a validation,
    adds once.

    Args:
        learner: In an epoch that ends with a validation.
        task: Gives the batches for the BatchNorm statistics.
        settings: How many validations, and when they are due.
    """
    mean, progress = learner.mean, learner.progress
    if mean is None:
        return
    if not is_among_last(progress.epoch, settings):
        progress.averaged_epoch = -1
        return
    if progress.averaged_epoch != progress.epoch:
        if progress.averaged_epoch == -1:
            mean.n_averaged.zero_()
        mean.update_parameters(learner.averaged)
        progress.averaged_epoch = progress.epoch
    refresh_norms(learner, mean.module, task)


def is_among_last(epoch: int, settings: TrainSettings) -> bool:
    """Return whether the validation of this epoch (from 0) is one of the last `average_last`."""
    left = sum(is_due(later, settings) for later in range(epoch, settings.epochs))
    return left <= settings.average_last


@torch.no_grad()
def refresh_norms(learner: Learner, network: nn.Module, task: Task[Any, Any]) -> None:
    """Take BatchNorm statistics anew, over the first batches of the epoch that was trained.

    Those of averaged weights are not the average of theirs (Izmailov et al. 2018, section 3.2).
    BatchNorm that is frozen keeps what it has, as does every other buffer. The network is left in
    eval mode.

    Args:
        learner: Says which epoch and process this is.
        network: Whose weights were averaged.
        task: Gives batches and runs the network on them.
    """
    fabric = learner.fabric
    network.train()
    norms = [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
    norms = [norm for norm in norms if norm.training and norm.track_running_stats]
    theirs = {id(buffer) for norm in norms for buffer in norm.buffers()}
    others = [buffer for buffer in network.buffers() if id(buffer) not in theirs]
    kept = [buffer.clone() for buffer in others]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
    batches = task.batches(
        learner.progress.epoch, start=0, rank=fabric.global_rank, world=fabric.world_size
    )
    for number, batch in enumerate(islice(batches, NORM_BATCHES if norms else 0), start=1):
        for norm in norms:
            norm.momentum = 1 / number  # the mean of the batches so far
        with fabric.autocast():
            task.losses(network, batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    for buffer, value in zip(others, kept, strict=True):
        buffer.copy_(value)
    network.eval()
