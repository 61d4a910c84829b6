"""Training samples as the field's notebooks make them: OpenSlide, pandas, albumentations."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import openslide
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from midog.boxes import MITOTIC_FIGURE
from midog.data.roi import Roi
from midog.errors import ConfigError
from midog.loading.locations import Location

Colour = Literal["jitter", "stain"]
"""albumentations' ColorJitter, or its HEStain, which varies the stains as ours does and costs
more."""
Sample = tuple[Tensor, dict[str, Tensor]]


class NotebookPatches(Dataset[Sample]):
    """Patches at given locations: image (3, S, S) float32 in [0, 1], boxes (N, 4) px, labels (N,).

    Attributes:
        made: Patches that this process made so far.
        spent: The seconds that they took: to read, to query the table, to augment.
    """

    def __init__(
        self, rois: Sequence[Roi], places: Sequence[Location], side: int, colour: Colour
    ) -> None:
        self.paths = [str(roi.path) for roi in rois]
        self.places, self.side = list(places), side
        self.slides: dict[int, Any] = {}  # opened at the first read
        rows = [
            (number, *box)
            for number, roi in enumerate(rois)
            for box in roi.boxes.of_class(MITOTIC_FIGURE)
        ]
        self.table = pd.DataFrame(rows, columns=["roi", "x1", "y1", "x2", "y2"])
        self.augment = make_transform(colour)
        self.made, self.spent = 0, {"read": 0.0, "query": 0.0, "augment": 0.0}

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Sample:
        place, marks = self.places[index], [time.perf_counter()]
        if place.roi not in self.slides:
            self.slides[place.roi] = openslide.open_slide(self.paths[place.roi])
        region = self.slides[place.roi].read_region((place.x, place.y), 0, (self.side, self.side))
        image = np.array(region)[:, :, :3]
        marks.append(time.perf_counter())
        right, bottom = place.x + self.side, place.y + self.side
        inside = (
            f"roi == {place.roi} and x2 > {place.x} and x1 < {right} and y2 > {place.y} and y1 <"
            f" {bottom}"
        )
        inside_patch = self.table.query(inside)[["x1", "y1", "x2", "y2"]].to_numpy(np.float64)
        boxes = (inside_patch - [place.x, place.y, place.x, place.y]).clip(0, self.side)
        marks.append(time.perf_counter())
        moved = self.augment(image=image, bboxes=boxes, labels=[MITOTIC_FIGURE] * len(boxes))
        tensor = (
            torch.from_numpy(np.ascontiguousarray(moved["image"].transpose(2, 0, 1))).float() / 255
        )
        target = {
            "boxes": torch.as_tensor(np.array(moved["bboxes"]).reshape(-1, 4), dtype=torch.float32),
            "labels": torch.as_tensor(moved["labels"], dtype=torch.int64),
        }
        marks.append(time.perf_counter())
        for name, seconds in zip(self.spent, np.diff(marks), strict=True):
            self.spent[name] += float(seconds)
        self.made += 1
        return tensor, target


def _as_lists(samples: list[Sample]) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """Collate a batch as torchvision's detectors take it."""
    images, targets = zip(*samples, strict=True)
    return list(images), list(targets)


def notebook_loader(patches: NotebookPatches, batch_size: int, workers: int) -> DataLoader[Sample]:
    """Load batches by worker processes, which stay from one pass to the next."""
    return DataLoader(
        patches,
        batch_size,
        num_workers=workers,
        collate_fn=_as_lists,
        persistent_workers=workers > 0,
        shuffle=False,
    )


def make_transform(colour: Colour) -> Any:
    """Flips, quarter turns, colour, and blur of a fifth of the patches."""
    A: Any = load_albumentations()
    blur = A.GaussianBlur(blur_limit=(3, 5), p=0.2)
    colours = {"jitter": A.ColorJitter, "stain": A.HEStain}
    steps = [A.HorizontalFlip(), A.VerticalFlip(), A.RandomRotate90(), colours[colour](p=1.0), blur]
    return A.Compose(
        steps,
        bbox_params=A.BboxParams(format="pascal_voc", label_fields=["labels"], min_visibility=0.5),
    )


def load_albumentations() -> Any:
    """Import the package, without its check for a newer version on the network.

    Raises:
        ConfigError: If it is not installed.
    """
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    try:
        return importlib.import_module("albumentations")
    except ImportError:
        raise ConfigError(
            "the baseline of samples needs albumentations",
            "pip install -e '.[bench]'",
        ) from None
