"""The commands that disasters are tried on, and what has to come out of each."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from disasters.forked import run

SMALL = {
    "model.backbone": "resnet18",
    "model.weights": "none",
    "model.anchor_sizes": "[[40, 50, 63]]",
    "sampling.patch_size": "64",
    "sampling.patches_per_roi": "6",
    "train.batch_size": "4",
    "train.epochs": "6",
    "train.validate_every": "2",
    "train.pictures": "1",
    "machine.device": "cpu",
    "machine.precision": "32-true",
    "machine.workers": "1",
    "inference.tile": "256",
}
_OF_SPEED = {"train/patches_per_second", "train/data_wait"}


@dataclass(frozen=True)
class Scenario:
    """A command, and the digests of what it makes.

    Args:
        words: The command line, given the folder of inputs.
        digests: What the command made in its folder, by name, as digests; nothing half-made may
            look whole.
    """

    words: Callable[[Path], list[object]]
    digests: Callable[[Path], dict[str, str]]


def prepare(inputs: Path) -> None:
    """Make what the commands read: data, a model, detections.

    Raises:
        RuntimeError: A command failed.
    """
    steps: list[list[object]] = [
        ["-q", "data", "draw", inputs / "data", "--rois", 3, "--size", 256],
        ["-q", "train", *_train(inputs / "data"), "--runs", inputs / "runs", "--name", "a"],
        [
            *("-q", "infer", inputs / "data", "--subset", "all", "--model", inputs / "runs" / "a"),
            *("--out", inputs / "detections", "--device", "cpu"),
        ],
    ]
    for words in steps:
        ended = run(words, inputs, inputs / "log")
        if ended.code:
            raise RuntimeError(f"{words[1]}: {ended.last}")


def _train(data: Path) -> list[object]:
    words: list[object] = ["--data", data]
    for key, value in SMALL.items():
        words += ["--set", f"{key}={value}"]
    return words


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=6).hexdigest()


def _files(folder: Path) -> dict[str, str]:
    """Every visible file in a folder, by its bytes."""
    return {
        str(path.relative_to(folder)): _digest(path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def _runs(folder: Path) -> dict[str, str]:
    """Weights, average and optimizer to the bit, best model and metrics of every run."""
    import torch

    found = {}
    for run_folder in sorted({path.resolve().parent for path in folder.glob("*/config.yaml")}):
        state = torch.load(run_folder / "last.ckpt", weights_only=True)
        best = json.loads((run_folder / "best" / "model.json").read_text())
        parts = {
            "model": _tensors(state["model"]),
            "optimizer": _tensors(state["optimizer"]),
            "ema": _tensors(state["ema"]),
            "best": _digest((run_folder / "best" / "model.safetensors").read_bytes()),
            "threshold": str(best["threshold"]),
            "metrics": _metrics(run_folder / "metrics.csv"),
            "state": (run_folder / "state.json").read_text(),
        }
        found |= {f"{run_folder.name}/{name}": value for name, value in parts.items()}
    return found


def _tensors(tree: Any) -> str:
    import torch

    digest = hashlib.blake2b(digest_size=6)

    def add(value: Any) -> None:
        if isinstance(value, dict):
            for key in sorted(value, key=str):
                digest.update(str(key).encode())
                add(value[key])
        elif isinstance(value, list | tuple):
            for inner in value:
                add(inner)
        elif isinstance(value, torch.Tensor):
            digest.update(value.contiguous().view(-1).numpy().tobytes())
        else:
            digest.update(repr(value).encode())

    add(tree)
    return digest.hexdigest()


def _metrics(path: Path) -> str:
    with path.open(newline="") as file:
        rows = [
            {key: row[key] for key in row if key not in _OF_SPEED} for row in csv.DictReader(file)
        ]
    return _digest(json.dumps(rows).encode())


SCENARIOS = {
    "train": Scenario(
        lambda inputs: ["train", *_train(inputs / "data"), "--runs", "runs", "--name", "a"],
        lambda place: _runs(place / "runs"),
    ),
    "infer": Scenario(
        lambda inputs: [
            *("infer", inputs / "data" / "images", "--model", inputs / "runs" / "a"),
            *("--out", "out", "--format", "challenge,csv,coco,overlay", "--device", "cpu"),
        ],
        lambda place: _files(place / "out"),
    ),
    "shift train": Scenario(
        lambda inputs: [
            *("shift", "train", "--design", "single", *_train(inputs / "data"), "--epochs", 2)
        ],
        lambda place: _runs(place / "runs"),
    ),
    "evaluate": Scenario(
        lambda inputs: [
            *("evaluate", inputs / "detections", "--data", inputs / "data", "--subset", "test"),
            *("--report", "report.html", "--csv", "rois.csv"),
        ],
        lambda place: {
            name: _digest((place / name).read_bytes()) for name in ("report.html", "rois.csv")
        },
    ),
    "data draw": Scenario(
        lambda inputs: ["data", "draw", "d", "--rois", 3, "--size", 256],
        lambda place: _files(place / "d"),
    ),
    "splits make": Scenario(
        lambda inputs: ["splits", "make", "--data", inputs / "data", "--out", "split.csv"],
        lambda place: {"split.csv": _digest((place / "split.csv").read_bytes())},
    ),
}
"""What every disaster is tried on, by name."""
