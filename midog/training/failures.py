"""What stops a run: losses and gradients that are not finite, and memory that runs out; each told
in one line."""

from __future__ import annotations

import torch
from torch import Tensor

from midog.config.schema import RunConfig
from midog.errors import DeviceError, TrainingError
from midog.files import replace_text, to_json
from midog.loading.batches import Loader
from midog.loading.box_targets import BoxTargets
from midog.loading.locations import Location
from midog.loading.rois import DecodedRois
from midog.training.learner import Learner
from midog.training.runs import Run


def look_at(
    recent: list[tuple[int, dict[str, Tensor]]],
    norms: list[Tensor],
    learner: Learner,
    run: Run,
    config: RunConfig,
    loader: Loader[Location, BoxTargets],
    decoded: DecodedRois,
) -> None:
    """Add the losses of the last batches to the epoch's sums; stop where one, or a gradient's norm,
    is not finite."""
    sums, fabric = learner.progress.losses, learner.fabric
    values = torch.stack([torch.stack(list(losses.values())).float() for _, losses in recent])
    fine = values.isfinite().all(dim=1)
    here = bool(fine.all() and torch.stack(norms).isfinite().all())
    if fabric.strategy.reduce_boolean_decision(not here, all=False):  # all ranks stop together
        if here:
            raise TrainingError(
                "the loss is not finite in another process", "see its line, and nonfinite.json"
            )
        at = _first_bad(fine, torch.stack(norms).isfinite(), config.train.accumulate)
        number, losses = recent[at]
        raise not_finite(
            number,
            dict(zip(losses, values[at].tolist(), strict=True)),
            learner,
            run,
            config,
            loader,
            decoded,
        )
    for (_, losses), row in zip(recent, values.tolist(), strict=True):
        for name, value in zip(losses, row, strict=True):
            sums[name] = sums.get(name, 0.0) + value


def _first_bad(losses: Tensor, norms: Tensor, accumulate: int) -> int:
    """The first batch whose loss, or whose update's gradient, is not finite: what comes after may
    be its doing."""
    batches = [int(each) for each in (~losses).nonzero()[:1]]
    updates = [int(each) * accumulate for each in (~norms).nonzero()[:1]]
    return min(batches + updates)


def not_finite(
    number: int,
    losses: dict[str, float],
    learner: Learner,
    run: Run,
    config: RunConfig,
    loader: Loader[Location, BoxTargets],
    decoded: DecodedRois,
) -> TrainingError:
    """The error of a loss that is not finite, once nonfinite.json says where that batch's patches
    were cut."""
    epoch, fabric = learner.progress.epoch, learner.fabric
    places = loader.locations(epoch, number, rank=fabric.global_rank, world=fabric.world_size)
    patches = [
        {"file_name": decoded.rois[place.roi].file_name, "x": place.x, "y": place.y}
        for place in places
    ]
    shown = {name: str(value) for name, value in losses.items()}
    rank = f"-rank{fabric.global_rank}" if fabric.world_size > 1 else ""
    path = run.folder / f"nonfinite{rank}.json"
    record = {"epoch": epoch + 1, "batch": number + 1, "losses": shown, "patches": patches}
    replace_text(path, to_json(record))
    return TrainingError(
        f"the loss is not finite in epoch {epoch + 1}, batch {number + 1} ({shown}); its patches"
        f" are listed in {path}",
        "look at them, lower train.lr, or set machine.precision=32-true",
    )


def no_memory(learner: Learner | None, config: RunConfig, device: torch.device) -> DeviceError:
    """Says which batch size fits: the first half, quarter, … of this one that gets through a
    step."""
    size, accumulate = config.train.batch_size, config.train.accumulate
    if learner is None:
        return DeviceError(
            f"the ROIs and the model do not fit into the memory of {device}",
            "use machine.residency=disk",
        )
    fits = fitting_batch(learner.net, config, device)
    if not fits:
        return DeviceError(
            f"one patch does not fit into the memory of {device}",
            "set a smaller sampling.patch_size",
        )
    return DeviceError(
        f"train.batch_size {size} does not fit into the memory of {device}",
        f"use --set train.batch_size={fits} --set train.accumulate={-(-size * accumulate // fits)}"
        f"{', or machine.residency=disk' * (config.machine.residency in ('auto', 'device'))}",
    )


def fitting_batch(net: torch.nn.Module, config: RunConfig, device: torch.device) -> int:
    """The first half, quarter, … of the batch size with which a step gets through; 0 where one
    patch does not."""
    size, side = config.train.batch_size // 2, config.sampling.patch_size
    target = {"boxes": torch.tensor([[8.0, 8.0, 56.0, 56.0]], device=device)}
    target |= {"labels": torch.ones(1, dtype=torch.int64, device=device)}
    while size:
        net.zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.empty_cache()
        try:
            sum(
                net(torch.zeros((size, 3, side, side), device=device), [target] * size).values()
            ).backward()
            return size
        except torch.OutOfMemoryError:
            size //= 2
    return 0
