"""What a run learns and how it is judged: detection of mitotic figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.utils import draw_bounding_boxes

from midog.augment.on_device import augment, to_float
from midog.boxes import MITOTIC_FIGURE
from midog.config.schema import RunConfig
from midog.devices import copies_alone
from midog.inference.detector import Detector
from midog.loading.batches import Loader
from midog.loading.box_targets import BoxTargets
from midog.loading.locations import Location
from midog.loading.rois import DecodedRois, augments_on_cpu, training_source, validation_source
from midog.loading.source import Batch
from midog.metrics.average_precision import average_precision
from midog.metrics.counts import Counts, counts_at
from midog.metrics.points import RoiPoints, points_from_boxes
from midog.metrics.sweep import Sweep, sweep
from midog.metrics.thresholds import best_threshold


@dataclass(frozen=True, eq=False)
class Validation:
    """Scores over whole validation ROIs at the threshold that is best there.

    counts and ap50 by group: "all" and each scanner. sweep: all ROIs at every threshold.
    """

    threshold: float
    counts: dict[str, Counts]
    ap50: dict[str, float]
    sweep: Sweep
    losses: dict[str, float] = field(default_factory=dict)

    @property
    def f1(self) -> float:
        """F1 over all validation ROIs; NaN where there is neither a figure nor a detection."""
        return self.counts["all"].f1

    def scalars(self) -> dict[str, float]:
        """Named numbers for the log: val/f1, val/f1/SCANNER, …"""
        named = {f"val/{key}": value for key, value in self.losses.items()} | {
            "val/threshold": self.threshold
        }
        for group, counts in self.counts.items():
            tail = "" if group == "all" else f"/{group}"
            named |= {f"val/f1{tail}": counts.f1, f"val/precision{tail}": counts.precision}
            named |= {f"val/recall{tail}": counts.recall, f"val/ap50{tail}": self.ap50[group]}
        return named


RoiLoader = Loader[Location, BoxTargets]


def training_loader(decoded: DecodedRois, config: RunConfig, device: torch.device) -> RoiLoader:
    """Make the loader of training patches for a device."""
    settings = config.train
    on_cpu = augments_on_cpu(decoded, config.machine.augment_on, device)
    source = training_source(decoded, config.sampling, config.augment, on_cpu=on_cpu)
    return Loader(source, settings.batch_size, config.machine.workers, settings.seed, device)


def validation_loader(decoded: DecodedRois, config: RunConfig, device: torch.device) -> RoiLoader:
    """Make the loader of the fixed validation patches for a device."""
    settings = config.train
    source = validation_source(decoded, config.sampling)
    return Loader(source, settings.batch_size, config.machine.workers, settings.seed, device)


def prepare(batch: Batch[BoxTargets], device: torch.device) -> tuple[Tensor, BoxTargets]:
    """Bring a batch to the device, augmented there if it is to be: images (B, 3, S, S) float32 in
    [0, 1], targets."""
    images = batch.images.to(device, non_blocking=copies_alone(device))
    light = to_float(images) if batch.augmentation is None else augment(images, batch.augmentation)
    return light, to_device(batch.targets, device)


def to_device(targets: BoxTargets, device: torch.device) -> BoxTargets:
    """Targets with their tensors on the device."""
    alone = copies_alone(device)
    return BoxTargets(
        boxes=targets["boxes"].to(device, non_blocking=alone),
        labels=targets["labels"].to(device, non_blocking=alone),
        ignore=targets["ignore"].to(device, non_blocking=alone),
    )


@torch.no_grad()
def validation_losses(
    model: nn.Module, loader: RoiLoader, device: torch.device
) -> dict[str, float]:
    """Mean loss by part over the fixed validation patches, not augmented."""
    model.eval()
    found: list[tuple[int, dict[str, Tensor]]] = []
    for batch in loader.batches():
        found.append((len(batch), model(*prepare(batch, device))))
    count = sum(size for size, _ in found)
    sums: dict[str, float] = {}
    for size, losses in found:  # only now, so that the device never waits for the next batch
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + float(value) * size
    named = {f"loss_{name}": value / count for name, value in sums.items()}
    return {"loss": sum(named.values()), **named}


def detect_points(
    detector: Detector, decoded: DecodedRois, numbers: Sequence[int], check: Callable[[], None]
) -> dict[int, RoiPoints]:
    """True and found figures of some ROIs, in millimetres. `check` is called between ROIs and may
    raise."""
    points = {}
    for number in numbers:
        image, mpp = decoded.images[number], decoded.mpp[number]
        array = image.cpu().numpy() if isinstance(image, Tensor) else np.asarray(image)
        detections = detector(array, mpp=detector.mpp)  # `images` are in the model's px already
        points[number] = points_from_boxes(decoded.sampled[number].boxes, detections, mpp)
        check()
    return points


def score(
    points: dict[int, RoiPoints], decoded: DecodedRois, losses: dict[str, float]
) -> Validation:
    """Choose the threshold over all ROIs, then count by scanner at it."""
    curve = sweep([points[number] for number in sorted(points)])
    threshold = best_threshold(curve)
    groups: dict[str, list[RoiPoints]] = {"all": []}
    for number in sorted(points):
        groups["all"].append(points[number])
        groups.setdefault(decoded.sampled[number].scanner or "unknown", []).append(points[number])
    return Validation(
        threshold=threshold,
        counts={name: counts_at(group, threshold) for name, group in groups.items()},
        ap50={name: average_precision(group) for name, group in groups.items()},
        sweep=curve,
        losses=losses,
    )


def is_better(f1: float, best: float) -> bool:
    """Whether an F1 beats the best so far; the first one does, whatever it is, and NaN (nothing to
    score) is 0."""
    return math.isnan(best) or (0.0 if math.isnan(f1) else f1) > best


@torch.no_grad()
def draw_pictures(
    model: nn.Module, loader: RoiLoader, device: torch.device, count: int, threshold: float
) -> list[NDArray[np.uint8]]:
    """`count` validation patches, those with a figure first: true boxes green, found ones
    yellow."""
    model.eval()
    with_figure: list[tuple[Tensor, Tensor]] = []
    without: list[tuple[Tensor, Tensor]] = []
    for batch in loader.batches():
        images = batch.images.clone()  # a batch's own go with it
        for image, boxes, labels in zip(
            images, batch.targets["boxes"], batch.targets["labels"], strict=True
        ):
            figures = boxes[labels == MITOTIC_FIGURE]
            (with_figure if len(figures) else without).append((image, figures))
        del without[count:]
        if len(with_figure) >= count:
            break
    return [
        _draw_boxes(image, truth, model(to_float(image[None].to(device)))[0], threshold)
        for image, truth in [*with_figure, *without][:count]
    ]


def _draw_boxes(
    image: Tensor, truth: Tensor, found: dict[str, Tensor], threshold: float
) -> NDArray[np.uint8]:
    """A picture (S, S, 3) of the patch (S, S, 3) uint8 with its true and found boxes."""
    picture = image.cpu().permute(2, 0, 1).contiguous()
    sure = (found["scores"] >= threshold) & (found["labels"] == MITOTIC_FIGURE)
    for boxes, colour, width in (
        (truth, "lime", 3),
        (found["boxes"][sure].float().cpu(), "yellow", 1),
    ):
        if len(boxes):
            picture = draw_bounding_boxes(picture, boxes, colors=colour, width=width)
    return np.asarray(picture.permute(1, 2, 0).numpy())
