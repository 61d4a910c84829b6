"""A whole ROI from file to JSON: the Detector against tiles of 1024 px through torchvision."""

from __future__ import annotations

import numpy as np

from benchmarks.baselines.torchvision_network import OVERLAP, TILE_PX, detect_tiles, in_torchvision
from benchmarks.comparisons.compared import Compared, compare
from midog.bench.conditions import Conditions
from midog.bench.infer import THRESHOLD, RoiDetection, infer_row, peak_of
from midog.bench.timing import take_turns
from midog.boxes import Detections
from midog.metrics.matching import match_points
from midog.metrics.points import mm_of_px
from midog.mpp import MppLike


class BaselineDetection:
    """Detection in the file of `work` with its weights, tile by tile in torchvision."""

    def __init__(self, work: RoiDetection, conditions: Conditions) -> None:
        self.work, self.conditions = work, conditions
        network = in_torchvision(work.model, conditions.config)
        self.network = network.to(conditions.device)
        self.detections = Detections()

    def run(self) -> None:
        """Detect, from file to JSON."""
        self.detections = detect_tiles(
            self.work.path,
            self.network,
            self.conditions.config,
            self.conditions.device,
            self.conditions.batch,
        )
        self.work.write(self.detections)


def compare_infer(conditions: Conditions) -> Compared:
    """Pixels per second of the first ROI's file, and how far both sides' figures agree."""
    work, device = RoiDetection(conditions), conditions.device
    baseline = BaselineDetection(work, conditions)
    slow = device.type == "cpu"  # too slow for a round that does not count
    peak = {} if slow else peak_of(work.run, device)
    runs = {"ours": work.run, "plain": baseline.run}
    taken = take_turns(runs, rounds=conditions.rounds, device=device, warm_up=not slow)
    what, limit = infer_row(conditions, work)
    return compare(
        what,
        f"tiles of {TILE_PX} px, {OVERLAP:.0%} overlap, float32, torchvision's post-processing",
        "Mpx/s",
        work.megapixels / taken["ours"],
        work.megapixels / taken["plain"],
        limit=limit,
        detail={
            **{f"{side}_s": float(np.median(seconds)) for side, seconds in taken.items()},
            **agreement(work.detections, baseline.detections, work.mpp),
            **peak,
        },
    )


def agreement(ours: Detections, plain: Detections, mpp: MppLike) -> dict[str, float]:
    """Count both sides' figures, and those in common (within 7.5 um) as a share of them."""
    kept = (side.figures().at_least(THRESHOLD) for side in (ours, plain))
    one, other = (mm_of_px(figures.centers, mpp) for figures in kept)
    both = match_points(other, one).tp
    total = len(one) + len(other)
    return {
        "figures": len(one),
        "figures_plain": len(other),
        "agreement": 2 * both / total if total else 1.0,
    }
