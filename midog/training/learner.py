"""What changes while a run learns: network, optimizer, average, progress; and the fabric below."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.wrappers import _FabricModule
from torch import nn
from torch.optim.swa_utils import AveragedModel

from midog.config.schema import MachineSettings, TrainSettings
from midog.devices import pick_devices
from midog.errors import DeviceError
from midog.training.batch_norm import learning_norms, sync_batch_norms
from midog.training.checkpoint import Checkpoint, TrainingProgress
from midog.training.ema import Average
from midog.training.restore import restore
from midog.training.skip import Statistics, start_momentum

logger = logging.getLogger(__name__)

MEETING = timedelta(minutes=30)
"""How long processes wait for each other, at the start and later."""


@dataclass(frozen=True, eq=False)
class Learner:
    """What changes while a run learns.

    network: bare. wrapped: the same as the fabric runs it, with its precision and processes.
    average: of the weights, where the settings want one. mean: of those of the last validations,
    likewise. compiled: parts of the network are.
    statistics: of BatchNorm, as they were before an update that is skipped.
    """

    fabric: Fabric
    network: nn.Module
    wrapped: _FabricModule
    optimizer: torch.optim.Optimizer
    average: Average | None
    progress: TrainingProgress
    statistics: Statistics
    mean: AveragedModel | None = None
    compiled: bool = False

    @property
    def scaler(self) -> torch.amp.GradScaler | None:
        """What scales the loss, in float16 alone."""
        return getattr(self.fabric.strategy.precision, "scaler", None)

    def resume_scale(self) -> None:
        """Take up the scale of the loss that the progress holds."""
        if self.scaler is not None and self.progress.loss_scale:
            scale = {"scale": self.progress.loss_scale}
            age = {"_growth_tracker": self.progress.loss_scale_age}
            self.scaler.load_state_dict(self.scaler.state_dict() | scale | age)

    def note_scale(self) -> None:
        """Note the scale of the loss in the progress, so that it is saved; waits for a GPU."""
        if self.scaler is not None:
            state = self.scaler.state_dict()
            self.progress.loss_scale = float(state["scale"])
            self.progress.loss_scale_age = int(state["_growth_tracker"])

    @property
    def averaged(self) -> nn.Module:
        """The weights as they are now: the average's where there is one."""
        return self.network if self.average is None else self.average.module

    @property
    def validated(self) -> nn.Module:
        """The weights that are validated and kept: the mean of those of the last validations in an
        epoch that added to it, else `averaged`."""
        if self.mean is not None and self.progress.averaged_epoch == self.progress.epoch:
            module: nn.Module = self.mean.module
            return module
        return self.averaged


class Autocast(MixedPrecision):
    """Autocast, and in float16 the scaling of the loss, as its gradients are too small otherwise.

    Lightning's own also casts the arguments: in bfloat16 a box at 400 px would be 2 px off. It
    refuses to clip the gradients of fused optimizers, and lets the scaler, which waits for the
    device, decide whether an update is made.
    """

    def convert_input(self, data: Any) -> Any:
        """Return the data as they are."""
        return data

    def unscale_gradients(self, optimizer: torch.optim.Optimizer) -> None:
        """Divide the gradients by the scale of the loss; once an update."""
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)

    def optimizer_step(self, optimizer: Any, **arguments: Any) -> Any:
        """Make the step; gradients are unscaled, and `step_weights` skips those not finite."""
        return optimizer.step(**arguments)


def make_fabric(settings: MachineSettings) -> Fabric:
    """Open devices, precision and processes as the settings name them, precision resolved.

    Raises:
        DeviceError: The devices do not exist.
    """
    kind, devices = pick_devices(settings.device, settings.devices)
    several = settings.devices * settings.num_nodes > 1
    precision = settings.precision
    mixed = precision if precision in ("bf16-mixed", "16-mixed") else None
    return Fabric(
        accelerator=kind,
        devices=devices,
        num_nodes=settings.num_nodes,
        strategy=DDPStrategy(timeout=MEETING) if several else "auto",
        plugins=[autocast(mixed, kind)] if mixed else None,
        precision=None if mixed else "32-true",
    )


def autocast(precision: Literal["bf16-mixed", "16-mixed"], kind: str) -> Autocast:
    """Make the precision of a kind of device."""
    if precision == "bf16-mixed":
        return Autocast(precision, kind)
    # torch starts at 2**16, and skips some updates until it has come down
    return Autocast(precision, kind, torch.amp.GradScaler(kind, init_scale=2.0**12))


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
    mean = AveragedModel(network).requires_grad_(False) if settings.average_last > 1 else None
    optimizer = make_optimizer(network, settings)
    progress = TrainingProgress()
    if checkpoint is not None:
        progress = restore(checkpoint, network, optimizer, average, mean)
        _keep_threads(checkpoint.state["threads"], fabric.device)
    wrapped, optimizer = fabric.setup(network, optimizer)
    statistics = Statistics(network)
    learner = Learner(fabric, network, wrapped, optimizer, average, progress, statistics, mean)
    learner.resume_scale()
    return learner


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
    if settings.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, lr=settings.lr, alpha=0.9, momentum=0.9)
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
