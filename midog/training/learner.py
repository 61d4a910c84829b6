"""What a run is made of before it learns: its ROIs, the fabric it runs on, model, optimizer and
average."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from lightning_fabric.wrappers import _FabricModule
from torch import nn

from midog.boxes import IMPOSTER, MITOTIC_FIGURE
from midog.config.load import load_config
from midog.config.schema import RunConfig
from midog.data.folder import read_rois, require_images
from midog.data.roi import Roi
from midog.devices import has_bf16, pick_device
from midog.errors import DataError, DeviceError, MidogError
from midog.models.build import build_model, count_parameters
from midog.models.retinanet import RetinaNet
from midog.training.checkpoint import Progress, read_checkpoint, restore
from midog.training.ema import Average
from midog.training.runs import Run

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Learner:
    """What changes while a run learns. `net` is the bare model, `model` the fabric's wrap of it."""

    fabric: Fabric
    net: nn.Module
    model: _FabricModule
    optimizer: torch.optim.Optimizer
    ema: Average | None
    progress: Progress

    @property
    def judged(self) -> nn.Module:
        """The weights that are validated and kept: the average where there is one."""
        return self.net if self.ema is None else self.ema.module


def read_training_rois(config: RunConfig) -> list[Roi]:
    """ROIs that `config.data` names. Raises DataError where nothing is to be learned from, or an
    image is missing."""
    data = config.data
    rois = read_rois(data.dir, split=data.split, annotations=data.annotations, bbox=data.bbox)
    require_images([*of_role(rois, "train"), *of_role(rois, "val")])
    return rois


def of_role(rois: Sequence[Roi], role: str) -> list[Roi]:
    """ROIs of one role of the split; DataError where there is none."""
    chosen = [roi for roi in rois if roi.split == role]
    if not chosen:
        raise DataError(
            f"the split has no ROI of role {role}",
            "give one with --split, or make one with `midog splits make`",
        )
    if role == "train" and not any((roi.boxes.labels == MITOTIC_FIGURE).any() for roi in chosen):
        raise DataError(
            "no training ROI has a mitotic figure", "check the annotations with `midog data check`"
        )
    return chosen


def resolve(config: RunConfig, run: Run | None = None) -> RunConfig:
    """The config with `precision: auto` settled: as the run to go on with has it, else as the
    device computes best."""
    if config.machine.precision != "auto":
        return config
    if run is not None:
        precision = load_config(run.folder / "config.yaml").machine.precision
    else:
        precision = "bf16-mixed" if has_bf16(pick_device(config.machine.device)) else "32-true"
    return config.model_copy(
        update={"machine": config.machine.model_copy(update={"precision": precision})}
    )


class Autocast(MixedPrecision):
    """Autocast alone. Lightning's own also casts what goes in: in bfloat16 a box at 400 px would be
    2 px off."""

    def convert_input(self, data: Any) -> Any:
        """The data as they are."""
        return data


def make_fabric(config: RunConfig) -> Fabric:
    """Devices, precision and processes as the (resolved) config names them. DeviceError for a
    device not there."""
    settings, device = config.machine, pick_device(config.machine.device)
    many = settings.devices * settings.num_nodes > 1
    one_gpu = device.type == "cuda" and not many
    mixed = settings.precision == "bf16-mixed"
    return Fabric(
        accelerator=device.type,
        devices=[device.index or 0] if one_gpu else settings.devices,
        num_nodes=settings.num_nodes,
        strategy="ddp" if many else "auto",
        plugins=[Autocast("bf16-mixed", device.type)] if mixed else None,
        precision=None if mixed else "32-true",
    )


def on_first(fabric: Fabric, action: Callable[[], Result]) -> Result:
    """What `action` gives on the first rank, on all of them; a MidogError that it raises is raised
    on all of them."""
    outcome: Result | MidogError | None = None
    if fabric.is_global_zero:
        try:
            outcome = action()
        except MidogError as error:
            outcome = error
    outcome = fabric.broadcast(outcome)
    if isinstance(outcome, MidogError):
        raise outcome
    return cast(Result, outcome)


def make_learner(config: RunConfig, fabric: Fabric, checkpoint: Path | None) -> Learner:
    """Build everything, and where there is a checkpoint bring it to its state."""
    torch.manual_seed(config.train.seed)  # the fresh head's weights
    state = None if checkpoint is None else read_checkpoint(checkpoint)
    net = build_model(config, pretrained=state is None)
    # on its device first: average and optimizer are made, and their states loaded, where the
    # weights are
    net = net.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    ema = Average(net, config.train.ema_decay) if config.train.ema_decay else None
    optimizer = make_optimizer(net, config)
    progress = Progress()
    if state is not None and checkpoint is not None:
        progress = restore(state, checkpoint, net, optimizer, ema)
        _take_threads(state["threads"], fabric.device)
    if config.machine.compile:
        assert isinstance(net, RetinaNet)
        compile_network(net, fabric.device)
    model, optimizer = fabric.setup(net, optimizer)
    return Learner(fabric, net, model, optimizer, ema, progress)


def make_optimizer(net: nn.Module, config: RunConfig) -> torch.optim.Optimizer:
    """The optimizer of `config.train` over what learns; biases and norms are not decayed."""
    settings = config.train
    learning = [weights for weights in net.parameters() if weights.requires_grad]
    groups = [
        {
            "params": [each for each in learning if each.ndim > 1],
            "weight_decay": settings.weight_decay,
        },
        {"params": [each for each in learning if each.ndim <= 1], "weight_decay": 0.0},
    ]
    fused = learning[0].device.type in ("cpu", "cuda")
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=settings.lr, momentum=0.9, nesterov=True, fused=fused)
    kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, lr=settings.lr, fused=fused)


def compile_network(net: RetinaNet, device: torch.device) -> None:
    """Have the network (and on a GPU the losses) compiled at their first batch; names of weights
    stay as they are.

    Raises DeviceError, in one line, where nothing can be compiled: this is tried at once with the
    least there is.
    """
    try:
        torch.compile(torch.sin)(torch.zeros(8, device=device))
    except Exception as error:  # each compiler lacks or refuses in its own way
        lines = [
            line.strip()
            for line in str(error).splitlines()
            if line.strip() and not line.endswith("raised:")
        ]
        raise DeviceError(
            f"machine.compile is true, but nothing can be compiled for {device}:"
            f" {(lines or [type(error).__name__])[0]}",
            "install a C++ compiler (g++) or, for a GPU, triton; or set machine.compile=false",
        ) from None
    net.compile_parts()


def class_names(config: RunConfig) -> tuple[str, ...]:
    """What the model reports: names of labels 1, 2, … as the challenge writes them."""
    both = config.sampling.imposters == "second_class"
    return ("mitotic figure", "non-mitotic figure") if both else ("mitotic figure",)


def describe(config: RunConfig, rois: Sequence[Roi]) -> list[str]:
    """Lines that `--dry-run` prints below the config: the data, the patches, the model's size."""
    lines = []
    for role in ("train", "val", "test", "unlabelled"):
        chosen = [roi for roi in rois if roi.split == role]
        if not chosen:
            continue
        figures = sum(int((roi.boxes.labels == MITOTIC_FIGURE).sum()) for roi in chosen)
        imposters = sum(int((roi.boxes.labels == IMPOSTER).sum()) for roi in chosen)
        scanners = ", ".join(
            f"{sum(roi.scanner == name for roi in chosen)} {name}"
            for name in sorted({roi.scanner for roi in chosen})
        )
        lines.append(
            f"{role}: {len(chosen)} ROIs ({scanners}), {figures} mitotic figures, {imposters}"
            " imposters"
        )
    settings, draws = config.train, len(of_role(rois, "train")) * config.sampling.patches_per_roi
    updates = -(
        -draws
        // (
            settings.batch_size
            * config.machine.devices
            * config.machine.num_nodes
            * settings.accumulate
        )
    )
    side = config.sampling.patch_size
    lines.append(
        f"patches per epoch: {draws} of {side}x{side} px, {updates} updates;"
        f" {draws * settings.epochs} in all"
    )
    learning, total = count_parameters(build_model(config, pretrained=False))
    lines.append(
        f"model: {config.model.kind} on {config.model.backbone.kind}, {total / 1e6:.1f} M"
        f" parameters, {learning / 1e6:.1f} M of them learn"
    )
    return lines


def git_revision() -> str | None:
    """Commit of the checkout that this code runs from, with "+" where it was changed since; None
    for a wheel."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        command = [
            "git",
            "-C",
            str(root),
            "describe",
            "--always",
            "--dirty=+",
            "--abbrev=12",
            "--exclude=*",
        ]
        return (
            subprocess.run(
                command, capture_output=True, text=True, check=True, timeout=10
            ).stdout.strip()
            or None
        )
    except (OSError, subprocess.SubprocessError):
        return None


def _take_threads(threads: int, device: torch.device) -> None:
    """Sums depend on the number of threads: a CPU run keeps the one it began with, so that it stays
    the same run."""
    if device.type == "cpu" and threads != torch.get_num_threads():
        logger.warning("this run was begun with %d CPU threads: going on with as many", threads)
        torch.set_num_threads(threads)
