"""Time to a good F1 from scratch: `midog train` against a plain loop over torchvision's RetinaNet.

    python benchmarks/time_to_f1.py --data DIR [--config quick] [--target 0.85] [--most 10]

Both train on the train ROIs of a data folder and are scored on its val ROIs, at the threshold that
is best for these. The plain loop is what the field's notebooks do: OpenSlide, albumentations,
`retinanet_resnet50_fpn_v2` as shipped (patches resized to 800 px), AdamW at 1e-4; it sees the
patches of 256 px that `small` draws. Time is that of updates alone, of all threads together
(processor time, as other load affects it less than wall time); validations are not counted. The
plain loop is scored at --first times our time, then whenever that has doubled, and ends when it
reaches the target, or after --most times our time: the ratio is then a lower bound. A scoring of
its many resized tiles can take longer than all of its updates; `--first 10` scores it once.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.baselines.notebook_samples import NotebookPatches, notebook_loader
from benchmarks.baselines.torchvision_network import detect_tiles, shipped
from midog.config.load import load_config
from midog.config.schema import RunConfig
from midog.data.folder import read_rois, select_rois
from midog.data.roi import Roi
from midog.loading.locations import Location, locations
from midog.loading.rois import decode_rois
from midog.metrics.points import points_from_boxes
from midog.mpp import Mpp
from midog.training.log import read_metrics
from midog.training.tasks.detection_scores import score
from midog.training.train import train

BATCH = 8


@dataclass(frozen=True)
class Reached:
    """Seconds of updates, patches that were seen, and F1 on val at the end of them."""

    seconds: float
    patches: int
    f1: float


def ours(config: RunConfig, target: float, folder: Path) -> Reached:
    """Train with a validation after each epoch, until the first that reaches the target.

    Raises:
        SystemExit: None does.
    """
    before = time.process_time()
    wall = time.perf_counter()
    run = train(config, name="ours", runs=folder)
    share = (time.process_time() - before) / (time.perf_counter() - wall)
    seconds, patches = 0.0, 0
    per_epoch: list[Reached] = []
    for row in read_metrics(run / "metrics.csv"):
        seen = int(row["step"]) * config.train.batch_size - patches
        patches += seen
        seconds += seen / float(row["train/patches_per_second"]) * share
        if row.get("val/f1"):
            per_epoch.append(Reached(seconds, patches, float(row["val/f1"])))
    for reached in per_epoch:
        if reached.f1 >= target:
            return reached
    best = max(reached.f1 for reached in per_epoch)
    raise SystemExit(f"midog itself reached {best:.3f} of {target}: give another --target")


def plain(
    rois: list[Roi], val: list[Roi], target: float, unit_s: float, *, first: float, most: float
) -> Reached:
    """Run the plain loop until it reaches the target or `most` times `unit_s` seconds; it is scored
    at `first` times `unit_s`, and whenever that has doubled."""
    small = load_config("small")
    network = shipped("resnet50", 1).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    seconds, patches, due, f1 = 0.0, 0, first * unit_s, 0.0
    for images, targets in _batches(rois, small):
        begun = time.process_time()
        losses = network(images, targets)
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds, patches = seconds + time.process_time() - begun, patches + len(images)
        over = seconds >= most * unit_s
        if seconds < due and not over:
            continue
        f1, due = _score(network.eval(), small, val), 2 * due
        network.train()
        print(f"  plain: {seconds:.0f} s of updates, {patches} patches, F1 {f1:.3f}", flush=True)
        if f1 >= target or over:
            break
    return Reached(seconds, patches, f1)


def _batches(
    rois: list[Roi], config: RunConfig
) -> Iterator[tuple[list[torch.Tensor], list[dict[str, torch.Tensor]]]]:
    """Batches of the notebooks' loader at the places that `config` draws, without end."""
    decoded = decode_rois(rois, config.data, config.machine, config.sampling.patch_size)
    epoch, size = 0, config.sampling.patch_size
    while True:
        draws = range(len(rois) * config.sampling.patches_per_roi)
        places: list[Location] = locations(
            decoded.sampled, config.sampling, config.train.seed, epoch, draws
        )
        yield from notebook_loader(NotebookPatches(rois, places, size, "jitter"), BATCH, 0)
        epoch += 1


def _score(network: torch.nn.Module, config: RunConfig, val: list[Roi]) -> float:
    """F1 on the val ROIs at their best threshold."""
    points, scanners = [], []
    for roi in val:
        assert roi.path is not None
        found = detect_tiles(roi.path, network, config, torch.device("cpu"), 1)
        points.append(points_from_boxes(roi.boxes, found, Mpp.of(config.data.mpp)))
        scanners.append(roi.scanner)
    return score(points, scanners, {"loss": math.nan}).score


def main() -> None:
    """Print a line for each side, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="data folder of 0.25 um/px")
    parser.add_argument("--config", default="quick", help="config of ours")
    parser.add_argument("--target", type=float, default=0.85, help="F1 on val")
    parser.add_argument("--most", type=float, default=10.0, help="times our time for the other")
    parser.add_argument("--first", type=float, default=0.5, help="times our time: first scoring")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    own = [f"data.dir={str(options.data)!r}", f"train.seed={options.seed}", "train.pictures=0"]
    config = load_config(options.config, [*own, "train.validate_every=1", "machine.device=cpu"])
    rois = read_rois(options.data)
    with tempfile.TemporaryDirectory() as folder:
        first = ours(config, options.target, Path(folder))
    print(
        f"midog ({options.config}): {first.seconds:.0f} s of updates, {first.patches} patches, F1"
        f" {first.f1:.3f}",
        flush=True,
    )
    train_rois, val = select_rois(rois, "train"), select_rois(rois, "val")
    other = plain(
        train_rois, val, options.target, first.seconds, first=options.first, most=options.most
    )
    bound = "" if other.f1 >= options.target else "more than "
    print(f"ratio: {bound}{other.seconds / first.seconds:.1f}")


if __name__ == "__main__":
    main()
