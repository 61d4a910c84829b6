"""What all thresholds cost at once: `sweep` against 690 calls of the plain rule, on the same made-up points.

    python benchmarks/sweep.py [--rois 50] [--detections 100] [--figures 10] [--rounds 5] [--seed 0]

690 is the number of thresholds from 0.3 up to 0.99 in steps of 0.001. Both run in turns in one process, and their
processor time is taken, as other work on the machine would tell on the longer one's wall time. Prints both medians and
their ratio as a row of the table in README.md. Ends with 1 where the counts differ at any threshold.
"""

from __future__ import annotations

import argparse
import datetime
import os
import statistics
import sys
import time

import numpy as np

from midog.metrics.scores import Counts, RoiPoints, Sweep, counts_at, sweep

THRESHOLDS = 0.3 + np.arange(690) / 1000
SIDE_MM = 1.4
"""Side of an ROI of 2 mm2."""


def made_up_rois(rois: int, detections: int, figures: int, seed: int) -> list[RoiPoints]:
    """ROIs of 2 mm2 with the same numbers of points each: a third of them within some 4 um of a figure."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(rois):
        truth = random.uniform(0, SIDE_MM, (figures, 2))
        found = random.uniform(0, SIDE_MM, (detections, 2))
        if figures:
            near = random.random(detections) < 1 / 3
            found[near] = truth[random.integers(0, figures, near.sum())] + random.normal(0, 0.003, (near.sum(), 2))
        made.append(RoiPoints(truth, found, random.random(detections)))
    return made


def counts_from(swept: Sweep) -> list[Counts]:
    """The counts at each of the 690 thresholds, read off a sweep."""
    steps = np.searchsorted(-swept.thresholds, -THRESHOLDS, side="right")
    tp, fp = np.append(0, swept.tp)[steps].tolist(), np.append(0, swept.fp)[steps].tolist()
    return [Counts(hits, false, swept.figures - hits) for hits, false in zip(tp, fp, strict=True)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rois", type=int, default=50)
    parser.add_argument("--detections", type=int, default=100, help="found points of each ROI")
    parser.add_argument("--figures", type=int, default=10, help="true figures of each ROI")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rois = made_up_rois(arguments.rois, arguments.detections, arguments.figures, arguments.seed)
    swept_s, plain_s = [], []
    for _ in range(arguments.rounds):
        began = time.process_time()
        swept = counts_from(sweep(rois))
        middle = time.process_time()
        plain = [counts_at(rois, threshold) for threshold in THRESHOLDS]
        swept_s.append(middle - began)
        plain_s.append(time.process_time() - middle)
        if swept != plain:
            print(f"the counts differ at {sum(a != b for a, b in zip(swept, plain, strict=True))} thresholds")
            return 1
    one, many = statistics.median(swept_s), statistics.median(plain_s)
    print("| date | machine | ROIs | detections | `sweep`, ms | 690 calls, ms | ratio |")
    print("|---|---|---:|---:|---:|---:|---:|")
    print(
        f"| {datetime.date.today()} | {os.cpu_count()} CPU cores | {arguments.rois} "
        f"| {arguments.rois * arguments.detections} | {one * 1000:.1f} | {many * 1000:.0f} | {many / one:.0f} |"
    )
    print(f"equal counts at all {len(THRESHOLDS)} thresholds; medians of {arguments.rounds} rounds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
