"""Cost against work: does twice the work take twice the time, and does memory stay where it is?

    python benchmarks/growth.py [--threads 2] [--largest 6] [NAME ...]

Each size of each case runs in a process of its own, which reports the processor time of the work
(of all threads, as other load affects it less than wall time) and the most memory that the process
ever held, pages of mapped files included, which the system takes back when it needs them. Prints a
table for each case of CASES below; the exponent is the slope of log time against log work over the
upper half of the sizes, where the fixed part weighs little: 1 is linear, less is better.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PER_ROI = 200
SIDE_PX = 1024
SETTINGS = (
    "model.backbone=resnet18",
    "model.weights=none",
    "model.anchor_sizes=[[40], [50]]",
    "model.pyramid_channels=32",
    "model.head_convs=1",
)
"""A small network, so that growth shows within minutes."""

Work = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """A kind of work: its sizes in `unit`, and what prepares the work of a size in a folder."""

    unit: str
    sizes: tuple[int, ...]
    prepare: Callable[[int, Path], Work]


def infer_rois(count: int, folder: Path) -> Work:
    """`midog infer` of `count` ROIs, all of them the same file under other names."""
    from midog.inference.batch import infer
    from midog.inference.jobs import find_jobs

    images = folder / f"rois-{count}"
    images.mkdir()
    for number in range(count):
        os.link(folder / "tiles-1.tiff", images / f"{number:03d}.tiff")
    detector = _detector(folder)
    detector(folder / "tiles-1.tiff", mpp=0.25)  # the cost of the first image alone
    return lambda: infer(find_jobs([images], mpp=0.25), detector, folder / f"out-{count}")


def infer_slide(layout: str) -> Callable[[int, Path], Work]:
    """Detection in an image of `area` times 1024 x 1024 px."""

    def prepare(area: int, folder: Path) -> Work:
        detector = _detector(folder)
        detector(folder / f"{layout}-1.tiff", mpp=0.25)
        return lambda: detector(folder / f"{layout}-{area}.tiff", mpp=0.25)

    return prepare


def evaluate_rois(count: int, folder: Path) -> Work:
    """`midog evaluate` of `count` ROIs of two scanners."""
    return _evaluation(folder / f"evaluate-{count}", rois=count, scanners=2)


def evaluate_scanners(count: int, folder: Path) -> Work:
    """`midog evaluate` of 64 ROIs of `count` scanners."""
    return _evaluation(folder / f"scanners-{count}", rois=64, scanners=count)


def sweep_points(count: int, folder: Path) -> Work:
    """The counts at every threshold, of `count` detections."""
    from midog.bench.sweep import synthetic_rois
    from midog.metrics.sweep import sweep

    points = synthetic_rois(count // PER_ROI, PER_ROI, 10, seed=0)
    return lambda: sweep(points)


def average_precision_of_points(count: int, folder: Path) -> Work:
    """Average precision of `count` detections."""
    from midog.bench.sweep import synthetic_rois
    from midog.metrics.average_precision import average_precision

    points = synthetic_rois(count // PER_ROI, PER_ROI, 10, seed=0)
    return lambda: average_precision(points)


def thresholds(count: int, folder: Path) -> Work:
    """The counts of 100,000 detections at `count` thresholds."""
    from midog.bench.sweep import counts_from, synthetic_rois
    from midog.metrics.sweep import sweep

    points = synthetic_rois(500, PER_ROI, 10, seed=0)
    return lambda: counts_from(sweep(points), np.linspace(0, 1, count))


DETECTIONS = (1_000, 10_000, 100_000, 1_000_000)
CASES = {
    "infer_rois": Case("ROIs", (1, 2, 4, 8, 16, 32), infer_rois),
    "infer_slide_tiles": Case("x 1 Mpx, tiles", (1, 4, 16, 64), infer_slide("tiles")),
    "infer_slide_jpeg": Case("x 1 Mpx, JPEG", (1, 4, 16, 64), infer_slide("jpeg")),
    "infer_slide_strips": Case("x 1 Mpx, strips", (1, 4, 16, 64), infer_slide("strips")),
    "evaluate_rois": Case("ROIs", (1, 2, 4, 8, 16, 32), evaluate_rois),
    "evaluate_scanners": Case("scanners", (1, 2, 4, 8, 16), evaluate_scanners),
    "sweep": Case("detections", DETECTIONS, sweep_points),
    "average_precision": Case("detections", DETECTIONS, average_precision_of_points),
    "thresholds": Case("thresholds", (1, 10, 100, 1_000, 10_000), thresholds),
}


def _detector(folder: Path):  # type: ignore[no-untyped-def]  # its type would import torch
    import torch

    from midog.config.load import load_config
    from midog.inference.detector import Detector
    from midog.models.build import build_model

    torch.manual_seed(0)
    config = load_config(None, SETTINGS)
    return Detector(build_model(config).eval(), config, device="cpu")


def _evaluation(folder: Path, rois: int, scanners: int) -> Work:
    from midog.bench.sweep import SIDE_MM, synthetic_rois
    from midog.boxes import Boxes, Detections, squares_around
    from midog.data.roi import Roi
    from midog.evaluation.scoring import evaluate
    from midog.formats.challenge import write_challenge

    folder.mkdir()
    listed, side, mpp = [], round(SIDE_MM * 1000 / 0.25), 0.25
    for number, points in enumerate(synthetic_rois(rois, PER_ROI, 10, seed=0)):
        boxes, detected = (
            squares_around(mm * 1000 / mpp) for mm in (points.truth_mm, points.detected_mm)
        )
        detections = Detections(detected, points.scores, np.ones(len(detected)))
        write_challenge(folder / f"{number:03d}.json", detections, mpp=mpp, threshold=0.5)
        named = {"scanner": f"scanner {number % scanners}", "patient": f"patient {number // 2}"}
        figures = Boxes(boxes, np.ones(len(boxes)))
        listed.append(
            Roi(f"{number:03d}.tiff", side, side, figures, mpp=mpp, split="test", **named)
        )
    return lambda: evaluate(folder, listed)


def draw_slides(folder: Path, largest: int) -> None:
    """Write KIND-AREA.tiff of each kind, of 1, 4, 16 … times 1024 x 1024 px, up to `largest`."""
    from midog.bench.drawn_rois import KINDS, lay_out, write_tiff
    from midog.data.folder import read_rois
    from midog.data.phantom.draw import draw_phantom
    from midog.images.image import open_image

    roi = read_rois(draw_phantom(folder / "drawn", rois_per_scanner=1, size=512))[0]
    with open_image(roi.path) as image:
        pixels = image.read(0, 0, 512, 512)
    for area in (area for area in (1, 4, 16, 64) if area <= largest):
        side = SIDE_PX * round(area**0.5)
        large, _ = lay_out(pixels, roi.boxes, side, side)
        for kind, layout in KINDS.items():
            write_tiff(folder / f"{kind}-{area}.tiff", large, layout)


def measure(name: str, size: int, folder: Path, threads: int) -> dict[str, float]:
    """Measure the work: median seconds, and the most MiB of this process before and after it."""
    if name.startswith("infer"):
        import torch

        torch.set_num_threads(threads)
    work = CASES[name].prepare(size, folder)
    before, taken = peak_mib(), [0.0]
    while len(taken) < 2 or (sum(taken) < 0.3 and not name.startswith("infer")):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return {"seconds": float(np.median(taken[1:])), "before_mib": before, "peak_mib": peak_mib()}


def peak_mib() -> float:
    """The most memory that this process held; Linux's getrusage would include its parent's."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def exponent(sizes: list[int], seconds: list[float]) -> float:
    """Slope of log seconds against log size over the upper half of the sizes, at least three."""
    upper = slice(min(len(sizes) // 2, max(len(sizes) - 3, 0)), None)
    return float(np.polyfit(np.log(sizes[upper]), np.log(seconds[upper]), 1)[0])


def report(name: str, sizes: list[int], measured: list[dict[str, float]]) -> None:
    """Print a case's table in Markdown."""
    print(f"\n{name}, exponent {exponent(sizes, [row['seconds'] for row in measured]):.2f}\n")
    print(
        f"| {CASES[name].unit} | processor s | peak MiB | of it before the work"
        " |\n|---:|---:|---:|---:|"
    )
    for size, row in zip(sizes, measured, strict=True):
        print(
            f"| {size} | {row['seconds']:.4g} | {row['peak_mib']:.0f} | {row['before_mib']:.0f} |",
            flush=True,
        )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="case [default: all]")
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count(), help="threads of the network"
    )
    parser.add_argument(
        "--largest", type=int, default=6, help="how many sizes of each case, from the smallest"
    )
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in CASES]:
        parser.error(f"unknown case {', '.join(unknown)}; choose from {', '.join(CASES)}")
    if arguments.folder is not None:
        print(
            json.dumps(
                measure(arguments.names[0], arguments.size, arguments.folder, arguments.threads)
            )
        )
        return 0
    for name in arguments.names or CASES:
        with tempfile.TemporaryDirectory(prefix="midog-growth-") as folder:
            run_case(name, Path(folder), arguments.threads, arguments.largest)
    return 0


def run_case(name: str, folder: Path, threads: int, largest: int) -> None:
    """Measure every size in a process of its own, then print the table."""
    sizes = list(CASES[name].sizes[:largest])
    if name.startswith("infer"):
        draw_slides(folder, max(sizes) if "slide" in name else 1)
    environment = {**os.environ, "MIDOG_CACHE": str(folder / "cache")}
    measured = []
    for size in sizes:
        command = [sys.executable, __file__, name, "--size", str(size), "--folder", str(folder)]
        done = subprocess.run(
            [*command, "--threads", str(threads)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        measured.append(json.loads(done.stdout))
    report(name, sizes, measured)


if __name__ == "__main__":
    sys.exit(main())
