"""Networks of patches on one budget: what each reaches on test, and whether equivariance helps.

    python benchmarks/patch_networks.py FOLDER [--stem NAME] [--classes A,B] [--seeds 3]
                                        [--epochs 6] [--patches 2500] [--share 1 --share 0.25]
                                        [--only NAME] [--set KEY=VALUE] [--runs FOLDER]

Each network is trained from random weights by `midog patches train`, with EPOCHS x PATCHES patches
drawn from all training slides, and from a share of them (the same slides for every network and
seed; valid and test stay whole). The model that is best on valid is scored on test once, at the
threshold of valid. Runs that `--runs` holds already are not trained again, so that two processes,
each with its own `--only`, can share the work, and a third prints all of it.

`plain` has the layers of p4 and p4m on no group, as many parameters and the same settings: the
differences are to it. Intervals (95 %) are over the slides of test: each resample is scored for
every seed, and the mean over the seeds counts. `seeds` is the standard deviation over them.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import random
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs as a script

from midog.config.load import load_config
from midog.data.patches.patch_set import PatchSet
from midog.evaluation.patch_measures import PATCH_MEASURES, Scored, scored
from midog.inference.patch_classifier import PatchClassifier, probabilities_of
from midog.metrics.bootstrap import difference, interval, weights_in_parts
from midog.metrics.points import Values
from midog.models.build import count_parameters
from midog.training.runs import is_finished
from midog.training.tasks.patches_data import open_patches, read_patches_of
from midog.training.tasks.registry import PatchesSettings
from midog.training.train import train

GROUP = {"kind": "group_cnn", "width": 16}
NETWORKS: dict[str, tuple[str, dict[str, Any], int]] = {
    "all_cnn": ("patches_all_cnn", {"kind": "all_cnn", "width": 16}, 64),
    "plain": ("patches_p4", {**GROUP, "group": "z2"}, 64),
    "p4": ("patches_p4", {**GROUP, "group": "p4"}, 64),
    "p4m": ("patches_p4m", {**GROUP, "group": "p4m"}, 64),
    "resnet18": ("patches_resnet18", {"kind": "resnet18"}, 64),
    "inception": ("patches_inception", {}, 96),
}
"""By name: the shipped settings, the network, and the side that it sees, px (Inception-v3: >= 75).
"""
SHOWN = ("auc", "balanced_accuracy")
RESAMPLES = 2000


@dataclass(frozen=True, eq=False)
class Trained:
    """A network after its training.

    parameters: number. test: its scores. curve: AUC on valid after each epoch. rate: patches per
    second of training, median over epochs.
    """

    parameters: int
    test: Scored
    curve: tuple[float, ...]
    rate: float


def take_slides(folder: Path, stem: str, share: float, out: Path) -> None:
    """Write the patches of a share of the training slides; valid and test are linked.

    Args:
        folder: Of STEM_split_train_x.h5 and so on.
        stem: Of the files.
        share: Of slides, drawn once; a smaller share is part of a larger one.
        out: Where files of the same names go.
    """
    out.mkdir(exist_ok=True)
    for path in folder.glob(f"{stem}_split_*"):
        if "_split_train_" not in path.name and not (out / path.name).exists():
            (out / path.name).symlink_to(path.resolve())
    base = f"{stem}_split_train"
    with (folder / f"{base}_meta.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    slides = sorted({line["wsi"] for line in lines})
    random.Random(0).shuffle(slides)
    taken = set(slides[: max(1, round(share * len(slides)))])
    kept = [number for number, line in enumerate(lines) if line["wsi"] in taken]
    for which in "xy":
        with h5py.File(folder / f"{base}_{which}.h5") as whole:
            values = whole[which][:][kept]
        with h5py.File(out / f"{base}_{which}.h5", "w") as part:
            part.create_dataset(which, data=values)
    with (out / f"{base}_meta.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines[number] for number in kept)


def run(name: str, data: Path, seed: int, runs: Path, own: argparse.Namespace) -> Trained:
    """Train one, or take it from its folder, and score test."""
    shipped, network, side = NETWORKS[name]
    values = {
        "data.dir": data,
        "task.stem": own.stem,
        "task.classes": own.classes.split(","),
        "task.side": side,
        "task.patches_per_epoch": own.patches,
        "train.epochs": own.epochs,
        "train.seed": seed,
        **{f"task.network.{key}": value for key, value in network.items()},
    }
    config = load_config(shipped, own.set, values)
    digest = hashlib.sha256(config.model_dump_json(exclude={"machine"}).encode()).hexdigest()[:8]
    folder = runs / f"{name}-{seed}-{digest}"
    if not is_finished(folder):
        train(config, name=folder.name, runs=runs)
    classifier = PatchClassifier.load(folder)
    task = cast(PatchesSettings, config.task)
    test = read_patches_of(config.data, task).of("test")
    logits = classifier.logits(open_patches(test, config.data.cache, classifier.side))
    with (folder / "metrics.csv").open(newline="") as file:
        epochs = list(csv.DictReader(file))
    return Trained(
        count_parameters(classifier.network)[1],
        scored(probabilities_of(logits), test.labels == 1, classifier.threshold),
        tuple(float(row["val/auc"]) for row in epochs),
        statistics.median(float(row["train/patches_per_second"]) for row in epochs),
    )


def samples_of(seeds: Sequence[Trained], key: str, units: Sequence[str]) -> tuple[float, Values]:
    """Return a measure and its resamples over slides, means over the seeds."""
    measure = PATCH_MEASURES[key].value
    value = statistics.fmean(float(measure(own.test.drawn())[0]) for own in seeds)
    parts = [
        np.mean([measure(own.test.drawn(weights)) for own in seeds], axis=0)
        for weights in weights_in_parts(units, RESAMPLES, 0)
    ]
    return value, np.concatenate(parts)


def scores_table(trained: Mapping[tuple[str, float], Sequence[Trained]], test: PatchSet) -> str:
    """Lay out what each reached on test."""
    head = ["network", "parameters", "slides", "AUC", "seeds", "balanced accuracy", "seeds"]
    rows = []
    for (name, share), seeds in trained.items():
        cells = [name, f"{seeds[0].parameters:,}", f"{share:g}"]
        for key in SHOWN:
            value = interval(*samples_of(seeds, key, test.units))
            each = [float(PATCH_MEASURES[key].value(own.test.drawn())[0]) for own in seeds]
            cells.append(f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]")
            cells.append(f"{statistics.stdev(each):.3f}" if len(each) > 1 else "-")
        rows.append([*cells, f"{statistics.median(own.rate for own in seeds):.0f}"])
    return _table([*head, "patches/s"], rows)


def differences_table(
    trained: Mapping[tuple[str, float], Sequence[Trained]], test: PatchSet
) -> str:
    """Lay out the paired differences to the plain network."""
    rows = []
    for (name, share), seeds in trained.items():
        plain = trained.get(("plain", share))
        if plain is None or name == "plain":
            continue
        cells = [f"{name} - plain", f"{share:g}"]
        for key in SHOWN:
            value, samples = samples_of(seeds, key, test.units)
            other, others = samples_of(plain, key, test.units)
            gap = difference(value, other, samples, others)
            cells.append(f"{gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]")
        rows.append(cells)
    return _table(["difference", "slides", "AUC", "balanced accuracy"], rows)


def curves_table(trained: Mapping[tuple[str, float], Sequence[Trained]], patches: int) -> str:
    """Lay out AUC on valid after each epoch, means over the seeds."""
    epochs = max(len(own.curve) for seeds in trained.values() for own in seeds)
    rows = [
        [name, f"{share:g}"]
        + [f"{statistics.fmean(own.curve[epoch] for own in seeds):.3f}" for epoch in range(epochs)]
        for (name, share), seeds in trained.items()
    ]
    return _table(["network", "slides", *(f"{patches * (e + 1):,}" for e in range(epochs))], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="of HDF5 patches, whose slides are known")
    parser.add_argument("--stem", default="camelyonpatch_level_2", help="of HDF5 files")
    parser.add_argument("--classes", default="0,1", help="names of both, that of label 1 last")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--patches", type=int, default=2500, help="drawn in an epoch")
    parser.add_argument("--share", type=float, action="append", help="of slides; repeatable")
    parser.add_argument("--only", action="append", help="a network by its name; repeatable")
    parser.add_argument("--set", action="append", default=[], help="a setting of all runs")
    parser.add_argument("--runs", type=Path, help="where runs are kept; none: they are not")
    own = parser.parse_args()
    names = own.only or list(NETWORKS)
    if unknown := [name for name in names if name not in NETWORKS]:
        parser.error(f"no network {unknown[0]!r}: choose from {', '.join(NETWORKS)}")
    trained: dict[tuple[str, float], list[Trained]] = {}
    with tempfile.TemporaryDirectory() as unkept:
        runs = own.runs or Path(unkept)
        runs.mkdir(parents=True, exist_ok=True)
        for share in own.share or [1.0, 0.25]:
            data = own.folder
            if share < 1:
                data = runs / f"slides-{share:g}"
                take_slides(own.folder, own.stem, share, data)
            for name in names:
                for seed in range(own.seeds):
                    one = run(name, data, seed, runs / f"all-{share:g}", own)
                    trained.setdefault((name, share), []).append(one)
    first = load_config("patches_p4", own.set, {"data.dir": own.folder, "task.stem": own.stem})
    test = read_patches_of(first.data, cast(PatchesSettings, first.task)).of("test")
    print(scores_table(trained, test), end="\n\n")
    print(differences_table(trained, test), end="\n\n")
    print(curves_table(trained, own.patches))


if __name__ == "__main__":
    main()
