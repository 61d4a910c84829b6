"""The seeded chain that both checkouts go through, step by step; each step gives its artefacts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from golden import inputs
from golden.canonical import (
    Artefact,
    of_csv,
    of_events,
    of_files,
    of_json,
    of_numbers,
    of_settings,
    of_tensors,
)
from golden.page import of_page
from golden.side import Side

CONFIGS = ("default", "small", "fast", "reference", "demo")
"""Shipped configs."""

TINY = {
    "data.cache": "false",
    "model.anchor_sizes": "[[40, 50, 63]]",
    "sampling.patch_size": "64",
    "sampling.patches_per_roi": "6",
    "train.batch_size": "4",
    "train.device": "cpu",
    "train.precision": "32-true",
    "train.validate_every": "1",
    "train.workers": "1",
    "train.pictures": "1",
    "inference.tile": "256",
    "inference.batch_size": "2",
    "inference.precision": "32-true",
    "inference.floor": "0.001",
}
"""Settings over configs/small.yaml that make an epoch a matter of seconds."""

RUNS: dict[str, dict[str, str]] = {
    "default": {},
    "again": {},
    "on_device": {
        "train.augment_on": "device",
        "model.unfrozen_layers": "3",
        "model.pyramid_channels": "64",
        "sampling.balance": "scanner",
        "sampling.jitter": "5",
        "train.schedule": "constant",
        "train.accumulate": "2",
        "train.optimizer": "adam",
        "train.seed": "11",
    },
    "two_classes": {
        "sampling.imposters": "second_class",
        "model.resize": "96",
        "model.backbone": "resnet34",
        "model.weights": "resnet34.pth",
        "model.head_convs": "2",
        "data.mpp": "0.3",
        "train.optimizer": "sgd",
        "train.ema_decay": "0",
        "train.clip_norm": "0",
        "train.workers": "0",
    },
}
"""Trainings by name, and what each sets over TINY; `again` is `default` once more."""


def phantom(side: Side) -> list[Artefact]:
    """The drawn data set."""
    side.midog("data", "draw", "data", "--rois", 5, "--size", 448, "--seed", 1)
    data = side.folder / "data"
    return [
        of_files("phantom: images", sorted((data / "images").iterdir())),
        of_files("phantom: annotations", [data / "annotations.json"]),
        of_files("phantom: split.csv", [data / "split.csv"]),
    ]


def splits(side: Side) -> list[Artefact]:
    """Splits of all kinds, and the tables of the checks."""
    side.midog("splits", "make", "--out", "plain.csv", "--seed", 3)
    side.midog("splits", "make", "--out", "folds", "--folds", 3)
    side.midog("splits", "make", "--out", "left_out", "--leave-out", "each")
    kinds = {"plain": "plain.csv", "k-fold": "folds/*", "leave one out": "left_out/*"}
    made = {name: sorted(side.folder.glob(pattern)) for name, pattern in kinds.items()}
    return [
        *(of_files(f"splits make: {name}", paths) for name, paths in made.items()),
        of_numbers("splits check", side.midog("splits", "check", "folds/fold1.csv")),
        of_numbers("data check", side.midog("data", "check", "data", "--pixels")),
    ]


def settings(side: Side) -> list[Artefact]:
    """The defaults and the shipped configs."""
    trees = side.ask({"settings": CONFIGS})
    return [of_settings(f"settings: {name}", tree) for name, tree in trees.items()]


def pure(side: Side) -> list[Artefact]:
    """Numbers of pure functions."""
    from golden.pure import TOPICS

    made = []
    for topic, given in side.ask({"pure": list(TOPICS)}).items():
        lines, size, error = given
        made.append(Artefact(f"pure: {topic}", lines, size))
        if error:
            made.append(Artefact(f"pure: {topic} FAILED", [f"{side.folder.name}: {error}"], 0))
    return made


def train(side: Side) -> list[Artefact]:
    """Seeded trainings of two epochs."""
    inputs.write_backbone(side.folder / "resnet34.pth")
    words = side.overrides(*(TINY | more for more in RUNS.values()))
    made = []
    for name, overrides in zip(RUNS, words, strict=True):
        given = ["--config", "small", "--data", "data", "--epochs", 2, "--name", name]
        side.midog("train", *given, *overrides)
        made += _of_run(f"train {name}", side.folder / "runs" / name)
    return made


def infer(side: Side) -> list[Artefact]:
    """Detections in all formats."""
    made = []
    for run, more in {"default": ["--subset", "all"], "two_classes": ["--threshold", 0.03]}.items():
        out = side.folder / f"detections_{run}"
        kinds = ["--format", "challenge,csv,coco,overlay", "--device", "cpu"]
        side.midog("infer", "data", "--model", f"runs/{run}", "--out", out.name, *kinds, *more)
        for ending in ("[0-9].json", ".csv", ".coco.json", ".overlay.jpg"):
            paths = sorted(out.glob(f"*{ending}"))
            assert paths, f"no *{ending} in {out}"
            made.append(of_files(f"infer {run}: {ending.removeprefix('[0-9]')}", paths))
    return made


def readers(side: Side) -> list[Artefact]:
    """The annotations once more in other formats, and images of other formats."""
    inputs.write_points(side.folder)
    made = []
    for path in inputs.write_annotations(side.folder):
        given = ["--data", "data", "--subset", "all", "--annotations", path.name]
        table = side.midog("data", "check", "data", "--annotations", path.name)
        scores = side.midog("evaluate", "made_a", *given, "--resamples", 10, "--json")
        made.append(of_numbers(f"data check: {path.name}", table))
        made.append(of_json(f"evaluate: {path.name}", "evaluation.json", scores))
    inputs.write_images(side.folder)
    given = ["infer", "others", "--model", "runs/default", "--device", "cpu", "--format", "csv"]
    for name, mpp in {"as_it_is": 0.25, "resampled": 0.4}.items():
        side.midog(*given, "--mpp", mpp, "--out", name)
        paths = sorted((side.folder / name).glob("*.csv"))
        assert len(paths) == len(inputs.KINDS), f"no detections in {name}"
        made.append(of_files(f"infer: other formats {name.replace('_', ' ')}", paths))
    return made


def score(side: Side) -> list[Artefact]:
    """Evaluation, comparison and the choice of a threshold."""
    inputs.write_points(side.folder)
    inputs.write_nested(side.folder)
    asked = ["--data", "data", "--subset", "all", "--seed", 2]
    by = ["--split", "nested.csv", "--by", "tumour,scanner", "--resamples", 30]
    report = ["--report", "scores.html", "--csv", "rois.csv", "--resamples", 60]
    evaluate = ["evaluate", "made_a", *asked]
    nested = side.midog(*evaluate, *by, "--json")
    compared = side.midog("compare", "made_a", "made_b", *asked, "--resamples", 200, "--json")
    detected = ["evaluate", "detections_default", *asked, "--resamples", 30]
    made = [
        of_numbers("evaluate: table", side.midog(*evaluate, *report)),
        of_csv("evaluate: --csv", "evaluation.csv", (side.folder / "rois.csv").read_text()),
        *of_page("evaluate: page", side.folder / "scores.html"),
        of_json("evaluate: --json, nested", "evaluation.json", nested),
        of_numbers("evaluate: table, nested", side.midog(*evaluate, *by, "--threshold", 0.4)),
        of_json("evaluate: of infer", "evaluation.json", side.midog(*detected, "--json")),
        of_json("compare: --json", "comparison.json", compared),
        of_numbers("compare: table", side.midog("compare", "made_a", "made_b", *asked)),
    ]
    return made + _tune(side)


def shift(side: Side) -> list[Artefact]:
    """A study of two scanners, and its report."""
    (words,) = side.overrides(TINY | {"train.seed": "5"})
    side.midog("shift", "train", "--config", "small", "--data", "data", "--epochs", 1, *words)
    runs = sorted(path for path in (side.folder / "runs").glob("only_*"))
    assert len(runs) == 2, runs
    given = ["--device", "cpu", "--patches-per-roi", 4, "--patch-px", 64, "--resamples", 40]
    paths = [path.relative_to(side.folder) for path in runs]
    report = side.midog("shift", "report", *paths, *given, "--out", "shift.html", "--json")
    return [
        *(artefact for path in runs for artefact in _of_run(f"shift train {path.name}", path)[:1]),
        of_json("shift report: --json", "shift.json", report),
        *of_page("shift report: page", side.folder / "shift.html"),
    ]


STEPS: dict[str, Callable[[Side], list[Artefact]]] = {
    "settings": settings,
    "pure": pure,
    "phantom": phantom,
    "splits": splits,
    "train": train,
    "infer": infer,
    "readers": readers,
    "score": score,
    "shift": shift,
}
"""Steps in the order in which they are run."""

NEEDS: Mapping[str, tuple[str, ...]] = {
    "splits": ("phantom",),
    "train": ("phantom",),
    "infer": ("phantom", "train"),
    "readers": ("phantom", "train"),
    "score": ("phantom", "train", "infer"),
    "shift": ("phantom",),
}
"""Steps that a step needs to have been run."""


def _of_run(name: str, run: Path) -> list[Artefact]:
    import torch
    from safetensors.torch import load_file

    checkpoint = torch.load(run / "last.ckpt", map_location="cpu", weights_only=True)
    card, state = (run / "best" / "model.json").read_text(), (run / "state.json").read_text()
    return [
        of_tensors(f"{name}: weights", "weights", load_file(run / "best" / "model.safetensors")),
        of_tensors(f"{name}: last.ckpt", "last.ckpt", checkpoint),
        of_csv(f"{name}: metrics.csv", "metrics.csv", (run / "metrics.csv").read_text()),
        of_json(f"{name}: model.json", "model.json", card),
        of_json(f"{name}: state.json", "state.json", state),
        of_events(f"{name}: events", run),
    ]


def _tune(side: Side) -> list[Artefact]:
    """The threshold that is chosen for a copy of a run's model."""
    made = []
    for goal in ([], ["--precision", 0.5]):
        model = side.folder / "tuned"
        shutil.rmtree(model, ignore_errors=True)
        shutil.copytree(side.folder / "runs" / "default" / "best", model)
        table = side.midog("tune", "--model", "tuned", "--data", "data", "--device", "cpu", *goal)
        card = (model / "model.json").read_text()
        name = " ".join(["tune", *map(str, goal)])
        made += [of_numbers(f"{name}: table", table)]
        made += [of_json(f"{name}: model.json", "model.json", card)]
    return made
