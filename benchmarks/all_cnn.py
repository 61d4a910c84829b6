"""Why the All-CNN does not learn as it was published for PatchCamelyon: a table of short runs.

    python benchmarks/all_cnn.py FOLDER [--stem NAME] [--classes A,B] [--epochs 4] [--width 96]
                                 [--seeds 1] [--set KEY=VALUE] [--runs FOLDER] [--only NAME]

Two settings stand at the ends: the published one (Glorot's start, weight decay 0.9, dropout, SGD at
a rate of 0.1, nothing that clips gradients), and that of `patches_all_cnn`. Between them stand the
published one with one thing mended, and ours with one thing as published. Each is a training of
`midog patches train` from random weights, without augmentation but the eight orientations.

Columns: `loss`, that of the last epoch of training (of two classes drawn alike, that of a coin is
0.693); `weights`, the norm of all weights at the end as a share of the norm at the start; `spread`,
the standard deviation of the log odds over valid (0: every patch scores the same); AUC on valid,
the mean over the seeds and how far they reach. A run that ends early, its loss not finite, is NaN.
"""

from __future__ import annotations

import argparse
import csv
import math
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs as a script

from midog.config.load import load_config
from midog.config.schema import RunConfig
from midog.errors import TrainingError
from midog.inference.patch_classifier import CLASSES, PatchClassifier
from midog.models.classifiers.network import PatchNetwork
from midog.models.classifiers.registry import build_patch_network
from midog.training.tasks.patches_data import open_patches, read_patches_of
from midog.training.tasks.registry import PatchesSettings
from midog.training.train import train

OURS: dict[str, Any] = {
    "task.network.start": "he",
    "task.network.dropout": 0.0,
    "task.network.input_dropout": 0.0,
    "train.weight_decay": 1e-4,
    "train.optimizer": "adamw",
    "train.lr": 5e-4,
    "train.clip_norm": 1.0,
}
PUBLISHED: dict[str, dict[str, Any]] = {
    "Glorot's start": {"task.network.start": "glorot"},
    "weight decay 0.9": {"train.weight_decay": 0.9},
    "dropout": {"task.network.dropout": 0.5, "task.network.input_dropout": 0.2},
    "SGD at 0.1": {"train.optimizer": "sgd", "train.lr": 0.1, "train.clip_norm": 0.0},
}
"""What was published, by what it is called in the table."""


@dataclass(frozen=True)
class Outcome:
    """How a short run ended: see the columns above. NaN where it ended early."""

    loss: float
    weights: float
    spread: float
    auc: float


def settings() -> dict[str, dict[str, Any]]:
    """Return the settings of every row, by its name."""
    published = OURS | {key: value for own in PUBLISHED.values() for key, value in own.items()}
    rows = {"as published": published}
    for name, own in PUBLISHED.items():
        rows[f"published, without {name}"] = published | {key: OURS[key] for key in own}
    for name, own in PUBLISHED.items():
        rows[f"ours, with {name}"] = OURS | own
    return {**rows, "ours": OURS}


def run(config: RunConfig, runs: Path, name: str) -> Outcome:
    """Train one, and look at what became of its weights and scores."""
    try:
        folder = train(config, name=name, runs=runs, fresh=True)
    except TrainingError as error:
        print(f"{name}: {error.what}", file=sys.stderr)
        return Outcome(*[math.nan] * 4)
    with (folder / "metrics.csv").open(newline="") as file:
        last = [row for row in csv.DictReader(file) if row.get("train/loss")][-1]
    classifier = PatchClassifier.load(folder, device="cpu")
    task = cast(PatchesSettings, config.task)
    val = read_patches_of(config.data, task).of("val")
    logits = classifier.logits(open_patches(val, config.data.cache, classifier.side))
    with torch.random.fork_rng():
        torch.manual_seed(config.train.seed)
        first = build_patch_network(task.network, CLASSES)
    return Outcome(
        float(last["train/loss"]),
        _norm(classifier.network) / _norm(first),
        float(logits.std()),
        float(last["val/auc"]),
    )


def rows(outcomes: Mapping[str, Sequence[Outcome]]) -> list[str]:
    """Lay out the table: means over seeds, and how far their AUC reaches."""
    lines = ["| setting | loss | weights | spread | AUC on valid |", "|---|---:|---:|---:|---:|"]
    for name, own in outcomes.items():
        cells = [name]
        for field, digits in (("loss", 3), ("weights", 3), ("spread", 3)):
            cells.append(f"{statistics.fmean(getattr(one, field) for one in own):.{digits}f}")
        scores = [one.auc for one in own]
        reach = f" ({min(scores):.3f} - {max(scores):.3f})" if len(scores) > 1 else ""
        cells.append(f"{statistics.fmean(scores):.3f}{reach}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _norm(network: PatchNetwork) -> float:
    return math.sqrt(sum(float(own.detach().square().sum()) for own in network.parameters()))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="of patches, as `midog patches train --data`")
    parser.add_argument("--stem", default="camelyonpatch_level_2", help="of HDF5 files")
    parser.add_argument("--classes", default="0,1", help="names of both, that of label 1 last")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--width", type=int, default=96, help="channels of the first stage")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], help="a setting of all runs")
    parser.add_argument("--runs", type=Path, help="where runs are kept; none: they are not")
    parser.add_argument("--only", action="append", help="a row by its name; repeatable")
    own = parser.parse_args()
    chosen = settings()
    if unknown := [name for name in own.only or () if name not in chosen]:
        parser.error(f"no row {unknown[0]!r}: choose from {', '.join(chosen)}")
    shared: dict[str, Any] = {
        "data.dir": own.folder,
        "task.stem": own.stem,
        "task.classes": own.classes.split(","),
        "task.network.width": own.width,
        "train.epochs": own.epochs,
        "train.warmup_steps": 0,
        "train.schedule": "constant",
        "train.ema_decay": 0.0,
        "train.best": "last",
        "train.validate_every": own.epochs,
        "augment.stain": 0,
        "augment.brightness": 0,
        "augment.blur": 0,
    }
    outcomes: dict[str, list[Outcome]] = {}
    with tempfile.TemporaryDirectory() as unkept:
        runs = own.runs or Path(unkept)
        for name in own.only or chosen:
            for seed in range(own.seeds):
                values = {**shared, **chosen[name], "train.seed": seed}
                config = load_config("patches_all_cnn", own.set, values)
                outcome = run(config, runs, f"{name.replace(' ', '_')}-{seed}")
                outcomes.setdefault(name, []).append(outcome)
    print("\n".join(rows(outcomes)))


if __name__ == "__main__":
    main()
