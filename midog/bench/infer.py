"""A whole ROI from file to JSON: the Detector against tiles of 1024 px, one by one in float32, by
torchvision."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from midog.bench.counting import gflop_of, peak_memory, shown_px
from midog.bench.detecting import detecting_model
from midog.bench.forward import best_precision
from midog.bench.plain_network import OVERLAP, TILE_PX, detect_plainly, in_torchvision
from midog.bench.plan import Plan
from midog.bench.result import Compared, compare
from midog.bench.timing import take_turns
from midog.boxes import Detections
from midog.config.schema import RunConfig
from midog.formats.challenge import write_challenge
from midog.images.image import open_image
from midog.inference.detector import Detector
from midog.metrics.matching import match_points

_THRESHOLD = 0.5


class BothWays:
    """One image, detected in either way; found: by "ours" and "plain". Both write
    `folder`/found.json."""

    def __init__(self, path: Path, mpp: float, config: RunConfig, plan: Plan) -> None:
        model = detecting_model(config, _two_corners(path, config.sampling.patch_size))
        self.detector = Detector(
            copy.deepcopy(model), config, threshold=_THRESHOLD, device=str(plan.device)
        )
        self.network = in_torchvision(model, config).to(plan.device)
        self.path, self.mpp, self.config, self.plan = path, mpp, config, plan
        self.found: dict[str, Detections] = {}

    def ours(self) -> None:
        """From file to JSON by the Detector."""
        self._write("ours", self.detector(self.path, mpp=self.mpp))

    def plainly(self) -> None:
        """From file to JSON tile by tile."""
        device, batch = self.plan.device, self.plan.batch
        self._write("plain", detect_plainly(self.path, self.network, self.config, device, batch))

    def _write(self, name: str, found: Detections) -> None:
        self.found[name] = found
        write_challenge(self.plan.folder / "found.json", found, mpp=self.mpp, threshold=_THRESHOLD)


def infer_stage(plan: Plan) -> Compared:
    """Pixels a second of the first ROI's file, and how far both ways' figures are the same ones."""
    name, config, roi, device = next(iter(plan.configs)), plan.config, plan.rois[0], plan.device
    assert roi.path is not None
    with open_image(roi.path) as image:
        width, height, mpp = image.width, image.height, roi.mpp or image.mpp or config.data.mpp
    plan.say(f"infer: {roi.path.name}, {width}x{height} px")
    ways = BothWays(roi.path, mpp, config, plan)
    slow = device.type == "cpu"  # too slow for a round that does not count
    peak = {} if slow else _peak_of(ways.ours, device)
    things = {"ours": ways.ours, "plain": ways.plainly}
    taken = take_turns(things, rounds=plan.rounds, device=device, warm_up=not slow)
    precision, megapixels = best_precision(device, config.inference.precision), width * height / 1e6
    gflop = gflop_of(ways.detector.model, shown_px(config)) * 1e6 / config.sampling.patch_size**2
    seconds = {f"{side}_s": float(np.median(each)) for side, each in taken.items()}
    return compare(
        f"{name}: {width}x{height} px from file to JSON, {precision}",
        f"tiles of {TILE_PX} px, {OVERLAP:.0%} overlap, float32, torchvision's post-processing",
        "Mpx/s",
        megapixels / taken["ours"],
        megapixels / taken["plain"],
        limit=plan.conv_limit(precision, gflop),
        detail={**seconds, **agreement(ways.found["ours"], ways.found["plain"], mpp), **peak},
    )


def agreement(ours: Detections, plain: Detections, mpp: float) -> dict[str, float]:
    """Figures of either way, and twice those that both found (within 7.5 um) as a share of them
    all."""
    one, other = (
        each.figures().at_least(_THRESHOLD).centers * mpp / 1000 for each in (ours, plain)
    )
    both = match_points(other, one).tp
    total = len(one) + len(other)
    return {
        "figures": len(one),
        "figures_plain": len(other),
        "agreement": 2 * both / total if total else 1.0,
    }


def _two_corners(path: Path, side: int) -> NDArray[np.uint8]:
    """Two patches (2, S, S, 3) of an image, which is white where it is smaller."""
    with open_image(path) as image:
        ends = (max(image.width - side, 0), max(image.height - side, 0))
        return np.stack([image.read(0, 0, side, side), image.read(*ends, side, side)])


def _peak_of(run: Callable[[], object], device: torch.device) -> dict[str, float]:
    peak_memory(device)
    run()
    return peak_memory(device)
