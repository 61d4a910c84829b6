"""The cost of all thresholds at once: `sweep` against 690 calls of the scoring rule, on the same
synthetic points.

    python benchmarks/sweep.py [--rois 50] [--detections 100] [--figures 10] [--rounds 5] [--seed 0]

690 is the number of thresholds from 0.3 up to 0.99 in steps of 0.001. Both run in turns in one
process, and their processor time is measured, as other load would affect the longer one's wall
time. Prints both medians and their ratio as a row of the table in README.md. Ends with 1 if the
counts differ at any threshold.
"""

from __future__ import annotations

import argparse
import datetime
import os
import statistics
import sys
import time

from midog.bench.sweep import THRESHOLDS, counts_from, synthetic_rois
from midog.metrics.counts import counts_at
from midog.metrics.sweep import sweep


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rois", type=int, default=50)
    parser.add_argument("--detections", type=int, default=100, help="detections of each ROI")
    parser.add_argument("--figures", type=int, default=10, help="figures of each ROI")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rois = synthetic_rois(arguments.rois, arguments.detections, arguments.figures, arguments.seed)
    swept_s, plain_s = [], []
    for _ in range(arguments.rounds):
        began = time.process_time()
        swept = counts_from(sweep(rois))
        middle = time.process_time()
        plain = [counts_at(rois, threshold) for threshold in THRESHOLDS]
        swept_s.append(middle - began)
        plain_s.append(time.process_time() - middle)
        if swept != plain:
            print(
                f"the counts differ at {sum(a != b for a, b in zip(swept, plain, strict=True))}"
                " thresholds"
            )
            return 1
    one, many = statistics.median(swept_s), statistics.median(plain_s)
    print("| date | machine | ROIs | detections | `sweep`, ms | 690 calls, ms | ratio |")
    print("|---|---|---:|---:|---:|---:|---:|")
    print(
        f"| {datetime.date.today()} | {os.cpu_count()} CPU cores | {arguments.rois} |"
        f" {arguments.rois * arguments.detections} | {one * 1000:.1f} | {many * 1000:.0f} |"
        f" {many / one:.0f} |"
    )
    print(f"equal counts at all {len(THRESHOLDS)} thresholds; medians of {arguments.rounds} rounds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
