"""What changes while a run learns: network, optimizer, average, progress; and the fabric below."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from lightning_fabric.wrappers import _FabricModule
from torch import nn

from midog.config.schema import MachineSettings, TrainSettings
from midog.devices import pick_device
from midog.errors import DeviceError
from midog.training.batch_norm import learning_norms, sync_batch_norms
from midog.training.checkpoint import Checkpoint, TrainingProgress
from midog.training.ema import Average
from midog.training.restore import restore
from midog.training.skip import Statistics, start_momentum

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Learner:
    """What changes while a run learns.

    network: bare. wrapped: the same as the fabric runs it, with its precision and processes.
    average: of the weights, where the settings want one. compiled: parts of the network are.
    statistics: of BatchNorm, as they were before an update that is skipped.
    """

    fabric: Fabric
    network: nn.Module
    wrapped: _FabricModule
    optimizer: torch.optim.Optimizer
    average: Average | None
    progress: TrainingProgress
    statistics: Statistics
    compiled: bool = False

    @property
    def averaged(self) -> nn.Module:
        """The weights that are validated and kept: the average's where there is one."""
        return self.network if self.average is None else self.average.module


class Autocast(MixedPrecision):
    """Autocast alone.

    Lightning's own also casts the arguments: in bfloat16 a box at 400 px would be 2 px off.
    """

    def convert_input(self, data: Any) -> Any:
        """Return the data as they are."""
        return data


def make_fabric(settings: MachineSettings) -> Fabric:
    """Open devices, precision and processes as the settings name them, precision resolved.

    Raises:
        DeviceError: The device does not exist.
    """
    device = pick_device(settings.device)
    several = settings.devices * settings.num_nodes > 1
    one_gpu = device.type == "cuda" and not several
    mixed = settings.precision == "bf16-mixed"
    return Fabric(
        accelerator=device.type,
        devices=[device.index or 0] if one_gpu else settings.devices,
        num_nodes=settings.num_nodes,
        strategy="ddp" if several else "auto",
        plugins=[Autocast("bf16-mixed", device.type)] if mixed else None,
        precision=None if mixed else "32-true",
    )


def make_learner(
    network: nn.Module,
    settings: TrainSettings,
    fabric: Fabric,
    checkpoint: Checkpoint | None = None,
) -> Learner:
    """Make a learner of a network, and bring it to the state of a checkpoint.

    Args:
        network: On the CPU, in train mode; it is moved to the fabric's device.
        settings: Optimizer and average.
        fabric: Launched.
        checkpoint: None for a new run.

    Raises:
        CheckpointError: The checkpoint does not fit the network.
    """
    # on its device first: average and optimizer are made, and their states loaded, where the
    # weights are
    network = network.to(
        fabric.device,
        memory_format=torch.channels_last,  # type: ignore[call-overload]
    )
    if fabric.world_size > 1:
        _share_norms(network, settings, fabric)
    average = Average(network, settings.ema_decay) if settings.ema_decay else None
    optimizer = make_optimizer(network, settings)
    progress = TrainingProgress()
    if checkpoint is not None:
        progress = restore(checkpoint, network, optimizer, average)
        _keep_threads(checkpoint.state["threads"], fabric.device)
    wrapped, optimizer = fabric.setup(network, optimizer)
    return Learner(fabric, network, wrapped, optimizer, average, progress, Statistics(network))


def make_optimizer(network: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """Make the optimizer of the weights that learn; biases and norms are not decayed."""
    learning = [weights for weights in network.parameters() if weights.requires_grad]
    groups = [
        {
            "params": [weights for weights in learning if weights.ndim > 1],
            "weight_decay": settings.weight_decay,
        },
        {"params": [weights for weights in learning if weights.ndim <= 1], "weight_decay": 0.0},
    ]
    fused = learning[0].device.type in ("cpu", "cuda")
    if settings.optimizer == "sgd":
        sgd = torch.optim.SGD(groups, lr=settings.lr, momentum=0.9, nesterov=True, fused=fused)
        start_momentum(sgd)
        return sgd
    kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, lr=settings.lr, fused=fused)


def require_compiler(device: torch.device) -> None:
    """Try at once, with the least possible, whether anything can be compiled for the device.

    Raises:
        DeviceError: Nothing can, in one line.
    """
    try:
        torch.compile(torch.sin)(torch.zeros(8, device=device))
    except Exception as error:  # every compiler fails in its own way
        lines = [
            line.strip()
            for line in str(error).splitlines()
            if line.strip() and not line.endswith("raised:")
        ]
        raise DeviceError(
            f"machine.compile is true, but nothing can be compiled for {device}:"
            f" {(lines or [type(error).__name__])[0]}",
            "install a C++ compiler (g++) or, for a GPU, triton; or use {machine.compile}",
            {"machine.compile": False},
        ) from None


def _share_norms(network: nn.Module, settings: TrainSettings, fabric: Fabric) -> None:
    """Have BatchNorm take its statistics over all processes, or say that it does not."""
    if settings.sync_batch_norm:
        sync_batch_norms(network)
    elif learning_norms(network) and fabric.is_global_zero:
        logger.warning(
            "BatchNorm that learns sees the %d patches of its own process: %d processes are another"
            " run than one of %d patches, unless train.sync_batch_norm is true",
            settings.batch_size,
            fabric.world_size,
            settings.batch_size * fabric.world_size,
        )


def _keep_threads(threads: int, device: torch.device) -> None:
    """Take a resumed CPU run's number of threads: sums depend on it, to the bit."""
    if device.type == "cpu" and threads != torch.get_num_threads():
        logger.warning("this run was started with %d CPU threads: it resumes with them", threads)
        torch.set_num_threads(threads)
