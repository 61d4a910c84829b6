"""The recipe, top to bottom: open the run, build, resume; then per epoch train, validate, keep the
best, save."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from midog.config.schema import RunConfig
from midog.data.folder import data_fingerprint
from midog.data.roi import Roi
from midog.errors import DeviceError
from midog.inference.detector import Detector
from midog.loading.box_targets import BoxTargets
from midog.loading.rois import DecodedRois, decode_rois
from midog.loading.source import Batch
from midog.metrics.points import RoiPoints
from midog.training.checkpoint import Progress, save_best, save_checkpoint
from midog.training.failures import look_at, no_memory
from midog.training.interrupts import Interrupted, Interrupts
from midog.training.learner import (
    Learner,
    class_names,
    git_revision,
    make_fabric,
    make_learner,
    of_role,
    on_first,
    read_training_rois,
    resolve,
)
from midog.training.log import RunLog
from midog.training.optimise import Pace, fixed_shapes, step_weights
from midog.training.runs import Run, choose_run, locked, make_run, write_state
from midog.training.tasks.detection import (
    RoiLoader,
    Validation,
    detect_points,
    draw_pictures,
    is_better,
    prepare,
    score,
    training_loader,
    validation_loader,
    validation_losses,
)

logger = logging.getLogger(__name__)

LOOK_EVERY = 16
"""Updates between two looks at the losses: each look makes a GPU wait."""


def train(
    config: RunConfig,
    *,
    rois: Iterable[Roi] | None = None,
    name: str | None = None,
    runs: Path | str = "runs",
    fresh: bool = False,
) -> Path:
    """Train a detector; returns the run's folder, in which `best` is the model for `Detector.load`.

    rois: what to learn from, with a `split` each; none: what `config.data` names.
    Goes on with the newest unfinished run of equal settings and data (see `choose_run` for name and
    fresh). Raises DataError, ImageError, WeightsError, CheckpointError, DeviceError, TrainingError
    (each one line), and Interrupted (a KeyboardInterrupt) after Ctrl-C or SIGTERM, when everything
    is saved.
    """
    rois = read_training_rois(config) if rois is None else list(rois)
    roles = {role: of_role(rois, role) for role in ("train", "val")}
    fingerprint, root = data_fingerprint(rois), Path(runs)
    old = choose_run(root, config, fingerprint, name=name, fresh=fresh)
    config = resolve(config, old)
    fabric = make_fabric(config)
    fabric.launch()
    old = fabric.broadcast(old)
    learner, full = None, False
    with ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())
        stack.callback(
            torch.set_num_threads, torch.get_num_threads()
        )  # a run gone on with sets its own
        if old is not None and fabric.is_global_zero:
            stack.enter_context(locked(old.folder))  # the first rank's lock stands for all
        try:
            side = config.sampling.patch_size
            decoded = {
                role: decode_rois(chosen, config.data, config.machine, side, fabric.device)
                for role, chosen in roles.items()
            }
            interrupts.check()
            learner = make_learner(
                config, fabric, old.checkpoint if old is not None and old.resumes else None
            )
            # only now, when nothing of the data or the weights can be wrong any more, is there a
            # new folder
            run = old or on_first(
                fabric, lambda: make_run(root, config, fingerprint, name=name, stack=stack)
            )
            if fabric.is_global_zero:
                logger.info("%s", _opening(run, learner.progress, config))
            fit(learner, run, config, decoded, fingerprint, interrupts)
        except torch.OutOfMemoryError:
            full = True
    if full:  # out here, where what the failed step held is let go
        raise no_memory(learner, config, fabric.device)
    return run.folder


def fit(
    learner: Learner,
    run: Run,
    config: RunConfig,
    decoded: dict[str, DecodedRois],
    fingerprint: str,
    interrupts: Interrupts,
) -> None:
    """Train from where `learner.progress` is to the last epoch, or until early stopping or an
    interrupt."""
    progress, settings = learner.progress, config.train
    if progress.finished:  # and stopped before it could say so
        return save(learner, run)
    device = learner.fabric.device
    patches = training_loader(decoded["train"], config, device)
    fixed = validation_loader(decoded["val"], config, device)
    log = None
    if learner.fabric.is_global_zero:
        log = RunLog(run.folder, epochs=settings.epochs, epoch=progress.epoch, step=progress.step)
    try:
        while not progress.finished:
            pace = train_epoch(learner, run, config, patches, decoded["train"], interrupts)
            validation = None
            if is_due(progress.epoch, config):
                validation = validate(learner, config, fixed, decoded["val"], interrupts)
                keep_best(learner, run, config, validation, fingerprint)
            if log is not None:
                report(log, learner, config, fixed, validation, pace)
            progress.epoch, progress.batch, progress.losses = progress.epoch + 1, 0, {}
            progress.finished = (
                progress.epoch >= settings.epochs or 0 < settings.patience <= progress.stale
            )
            save(learner, run)
    except Interrupted:
        save(learner, run)
        raise
    finally:
        if log is not None:
            log.close()


@fixed_shapes()
def train_epoch(
    learner: Learner,
    run: Run,
    config: RunConfig,
    loader: RoiLoader,
    decoded: DecodedRois,
    interrupts: Interrupts,
) -> Pace:
    """Train the rest of the epoch under way. Raises TrainingError on a non-finite loss."""
    fabric, progress, world = learner.fabric, learner.progress, learner.fabric.world_size
    total, group = loader.steps(world), config.train.accumulate
    recent: list[tuple[int, dict[str, Tensor]]] = []
    norms: list[Tensor] = []
    batches = loader.batches(
        progress.epoch, start=progress.batch, rank=fabric.global_rank, world=world
    )
    pace = Pace()
    learner.model.train()
    for number, batch in enumerate(pace.wait_for(batches), start=progress.batch):
        update = (number + 1) % group == 0 or number + 1 == total
        share = min(group, total - number // group * group)
        recent.append((number, learn_from(learner, batch, share, update=update)))
        pace.patches += len(batch) * world
        if not update:
            continue
        norms.append(
            step_weights(learner, config, updates=-(-total // group) * config.train.epochs)
        )
        look = len(recent) >= LOOK_EVERY * group or number + 1 == total
        # ranks ask each other only when all of them look: to ask makes a GPU wait
        stop = (look or world == 1) and fabric.strategy.reduce_boolean_decision(
            interrupts.wanted, all=False
        )
        if stop or look:
            look_at(recent, norms, learner, run, config, loader, decoded)
            recent, norms = [], []
        progress.batch = number + 1
        if stop:
            raise Interrupted(interrupts.signum or 0)
    return pace


def learn_from(
    learner: Learner, batch: Batch[BoxTargets], share: int, *, update: bool
) -> dict[str, Tensor]:
    """Add the gradient of a batch's losses, one of `share` for an update; returns the losses."""
    images, targets = prepare(batch, learner.fabric.device)
    with learner.fabric.no_backward_sync(learner.model, enabled=not update):
        losses = learner.model(images, targets)
        learner.fabric.backward(sum(losses.values()) / share)
    return {name: value.detach() for name, value in losses.items()}


def is_due(epoch: int, config: RunConfig) -> bool:
    """Whether this epoch (from 0) ends with a validation."""
    return (epoch + 1) % config.train.validate_every == 0 or epoch + 1 >= config.train.epochs


def validate(
    learner: Learner,
    config: RunConfig,
    loader: RoiLoader,
    decoded: DecodedRois,
    interrupts: Interrupts,
) -> Validation:
    """Loss on the fixed patches, detections over whole ROIs (shared out over the ranks), scores at
    every threshold."""
    fabric, model, world = learner.fabric, learner.judged, learner.fabric.world_size
    for buffer in (
        model.buffers() if world > 1 else ()
    ):  # each rank has BatchNorm statistics of its own
        torch.distributed.broadcast(buffer, src=0)
    detector = Detector(model, config, device=str(fabric.device), workers=config.machine.workers)
    mine = range(fabric.global_rank, len(decoded.images), world)
    # shapes of all kinds from here on: nothing is compiled for them
    plain = torch.compiler.set_stance("force_eager") if config.machine.compile else nullcontext()
    with plain, fabric.autocast():
        losses = validation_losses(model, loader, fabric.device)
    # at the precision at which `midog infer` detects: the threshold that is chosen here is used
    # there
    try:
        points = detect_points(
            detector, decoded, mine, interrupts.check if world == 1 else lambda: None
        )
    except DeviceError as error:
        fix = error.fix.replace("--batch-size ", "--set inference.batch_size=")
        raise DeviceError(error.what, fix.replace("--tile ", "--set inference.tile=")) from None
    if world > 1:
        shares: list[dict[int, RoiPoints]] = [{} for _ in range(world)]
        torch.distributed.all_gather_object(shares, points)
        points = {number: each for share in shares for number, each in share.items()}
        if fabric.strategy.reduce_boolean_decision(interrupts.wanted, all=False):
            raise Interrupted(interrupts.signum or 0)
    return score(points, decoded, losses)


def keep_best(
    learner: Learner, run: Run, config: RunConfig, validation: Validation, fingerprint: str
) -> None:
    """Make the judged weights the run's `best` where their F1 is the best so far."""
    progress = learner.progress
    if not is_better(validation.f1, progress.best_f1):
        progress.stale += 1
        return
    progress.stale, progress.best_epoch = 0, progress.epoch
    progress.best_f1 = 0.0 if math.isnan(validation.f1) else validation.f1
    if learner.fabric.is_global_zero:
        val = {
            name: None if math.isnan(value) else value
            for name, value in validation.scalars().items()
        }
        info: dict[str, Any] = {
            "epoch": progress.epoch + 1,
            "data": fingerprint,
            "git": git_revision(),
            "val": val,
        }
        detector = Detector(
            learner.judged,
            config,
            class_names=class_names(config),
            threshold=validation.threshold,
            device=str(learner.fabric.device),
            info=info,
        )
        save_best(detector, run.folder, progress.epoch + 1)


def report(
    log: RunLog,
    learner: Learner,
    config: RunConfig,
    loader: RoiLoader,
    validation: Validation | None,
    pace: Pace,
) -> None:
    """Tell TensorBoard, metrics.csv and the terminal what this epoch brought."""
    progress = learner.progress
    batches = max(progress.batch, 1)
    scalars = {f"train/loss_{name}": value / batches for name, value in progress.losses.items()}
    scalars = {"train/loss": sum(scalars.values()), **scalars}
    scalars |= {"train/lr": learner.optimizer.param_groups[0]["lr"], **pace.scalars()}
    message = None
    if validation is not None:
        scalars |= validation.scalars()
        log.curve(validation.sweep, progress.step)
        if config.train.pictures:
            drawn = draw_pictures(
                learner.judged,
                loader,
                learner.fabric.device,
                config.train.pictures,
                validation.threshold,
            )
            log.pictures(drawn, progress.step)
        message = _line(progress, config, scalars)
    log.scalars(scalars, progress.step)
    log.epoch({"epoch": progress.epoch + 1, "step": progress.step, **scalars}, message)


def save(learner: Learner, run: Run) -> None:
    """last.ckpt and state.json, on the first rank."""
    progress = learner.progress
    if not learner.fabric.is_global_zero:
        return
    save_checkpoint(run.checkpoint, progress, learner.net, learner.optimizer, learner.ema)
    best = None if math.isnan(progress.best_f1) else progress.best_f1
    state = {"epoch": progress.epoch, "step": progress.step, "finished": progress.finished}
    write_state(run.folder, state | {"best_f1": best, "best_epoch": progress.best_epoch + 1})


def _opening(run: Run, progress: Progress, config: RunConfig) -> str:
    if not run.resumes:
        return f"new run {run.folder}"
    at = f", batch {progress.batch + 1}" if progress.batch else ""
    return f"going on with {run.folder} at epoch {progress.epoch + 1} of {config.train.epochs}{at}"


def _line(progress: Progress, config: RunConfig, scalars: dict[str, float]) -> str:
    def shown(name: str, places: int = 3) -> str:
        return "-" if math.isnan(scalars[name]) else f"{scalars[name]:.{places}f}"

    best = "  best" if progress.best_epoch == progress.epoch else ""
    return (
        f"epoch {progress.epoch + 1}/{config.train.epochs}  loss {scalars['train/loss']:.3f}  "
        f"val loss {shown('val/loss')}  F1 {shown('val/f1')} at {scalars['val/threshold']:.2f}  "
        f"precision {shown('val/precision')}  recall {shown('val/recall')}  "
        f"AP {shown('val/ap50')}  {scalars['train/patches_per_second']:.0f} patches/s{best}"
    )
