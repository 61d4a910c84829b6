"""Drawn ROIs with planted figures and look-alikes, and a detector that takes both for figures."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Self

import numpy as np
import tifffile
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from midog.config.load import load_config
from midog.data.candidates import OTHER_LABEL, Candidate, write_candidates
from midog.data.seen import TRAINED_ON
from midog.inference.detector import Detector
from midog.models.frame import Frame
from midog.models.postprocess import suppress
from midog.models.protocol import BoxTargets, Candidates, DetectionNetwork, ImageDetections
from midog.models.registry import DETECTORS, DetectorEntry, DetectorSettings
from midog.training.train import train

SIDE, MPP = 256, 0.25
ROLES = {"train": 4, "val": 2, "test": 2}
PURPLE, GREEN, GROUND = (60, 20, 90), (20, 90, 60), (225, 200, 220)
PLACES = [(40, 60), (140, 36), (216, 120), (60, 180), (150, 150), (220, 226)]
"""Centres in each ROI; every second one is a figure. Figures are purple, look-alikes green."""

SETTINGS = [
    "task.kind=verify",
    "task.body=own",
    "task.weights=none",
    "task.maps=1",
    "task.crops_per_epoch=32",
    "data.cache=false",
    "train.epochs=4",
    "train.validate_every=2",
    "train.batch_size=16",
    "train.lr=0.002",
    "train.warmup_steps=0",
    "train.ema_decay=0",
    "machine.device=cpu",
    "machine.precision=32-true",
    "machine.workers=1",
]
"""Overrides of a verifier's training that takes a second or two."""


def draw_planted(folder: Path) -> Path:
    """A data folder of ROIs 001.tiff, …; look-alikes are not annotated."""
    (folder / "images").mkdir(parents=True)
    rows, places = ["file_name,x,y,label"], ["file_name,scanner,patient,split"]
    ys, xs = np.mgrid[:SIDE, :SIDE]
    roles = [role for role, count in ROLES.items() for _ in range(count)]
    for number, role in enumerate(roles, 1):
        rng, name = np.random.default_rng(number), f"{number:03d}.tiff"
        pixels = np.array(GROUND) + rng.integers(-6, 7, (SIDE, SIDE, 3))
        for place, (x, y) in enumerate(PLACES):
            spot = (xs + 0.5 - x) ** 2 + (ys + 0.5 - y) ** 2 <= 10**2
            pixels[spot] = np.array(GREEN if place % 2 else PURPLE)
            if not place % 2:
                rows.append(f"{name},{x},{y},mitotic figure")
        tifffile.imwrite(
            folder / "images" / name,
            pixels.clip(0, 255).astype(np.uint8),
            resolution=(40000, 40000),
            resolutionunit="CENTIMETER",
        )
        places.append(f"{name},Scanner {'AB'[number % 2]},p{number},{role}")
    (folder / "annotations.csv").write_text("\n".join(rows) + "\n")
    (folder / "split.csv").write_text("\n".join(places) + "\n")
    return folder


class DarkSpots(DetectionNetwork):
    """Reports every dark spot with a score of about 0.6, whatever its colour."""

    def __init__(self) -> None:
        super().__init__()
        self.frame = Frame()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor, targets: BoxTargets) -> dict[str, Tensor]:
        return {"none": (self.weight - 1).square().sum()}

    def candidates(self, images: Tensor, floor: float) -> Candidates:
        dark = F.avg_pool2d(1 - images.mean(1, keepdim=True), 21, 1, 10)
        peak = (dark == F.max_pool2d(dark, 41, 1, 20)) & (dark > 0.35)
        values, index = torch.where(peak, dark, 0).flatten(1).topk(20)
        centres = torch.stack([index % dark.shape[3], index // dark.shape[3]], -1) + 0.5
        boxes = torch.cat([centres - 25, centres + 25], -1)
        boxes = boxes.clamp(0).minimum(torch.tensor([*dark.shape[:1:-1]] * 2))
        scores = torch.where(values > 0, 0.5 + 0.2 * values, 0)
        return Candidates(boxes, scores.where(scores > floor, 0), torch.ones_like(index))

    def detections(self, images: Tensor, floor: float) -> list[ImageDetections]:
        return suppress(self.candidates(images, floor), 0.2, 20)

    def features(self, images: Tensor) -> list[Tensor]:
        return [images]

    def for_detection(self, dtype: torch.dtype) -> Self:
        return copy.deepcopy(self).eval().requires_grad_(False)

    def compile_parts(self) -> None:
        pass


ENTRY = DetectorEntry(
    "dark spots", DetectorSettings, lambda own, classes, magnification: DarkSpots()
)


def register(monkeypatch) -> None:
    """Make the detector one of DETECTORS."""
    monkeypatch.setitem(DETECTORS, "dark_spots", ENTRY)


def save_detector(folder: Path, trained_on: list[str] | None, weight: float = 1.0) -> Path:
    """A model folder of the detector, which must be registered."""
    overrides = ["model.kind=dark_spots", "model.weights=none", "inference.tile=256"]
    network = DarkSpots()
    with torch.no_grad():
        network.weight.fill_(weight)
    info = {} if trained_on is None else {TRAINED_ON: trained_on}
    config = load_config(None, overrides)
    Detector(network, config, threshold=0.5, device="cpu", info=info).save(folder)
    return folder


def train_verifier(root: Path, *overrides: str) -> Path:
    """The run of a verifier of `root`/detector on `root`/data, in `root`/runs; detector registered.

    Its false alarms are those that the detector reports in the train ROIs, in `root`/alarms.csv.
    """
    data, detector, alarms = root / "data", root / "detector", root / "alarms.csv"
    if not data.is_dir():
        draw_planted(data)
        save_detector(detector, [f"{number:03d}.tiff" for number in range(1, 5)])
        listed = [
            Candidate(f"{number:03d}.tiff", x, y, OTHER_LABEL, "out-of-fold", 0.6)
            for number in range(1, 5)
            for x, y in PLACES[1::2]
        ]
        write_candidates(alarms, listed)
    own = [f"data.dir={data}", f"task.detector={detector}", f"task.candidates={alarms}"]
    return train(load_config(None, [*SETTINGS, *own, *overrides]), runs=root / "runs")
