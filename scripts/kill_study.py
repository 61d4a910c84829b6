"""Kill a training ten times with SIGKILL, at random and in mid-write of a checkpoint; compare its
last weights.

    python scripts/kill_study.py DATA [--kills 10] [--seed 0]

Trains twice on the data folder: once unbroken, once killed and started again until it is done.
Prints where each kill hit, how long after the last checkpoint (a run is saved at validations and,
here, every 3 s), and whether weights, average, optimizer and metrics of the two runs are equal to
the bit.
"""

from __future__ import annotations

import argparse
import csv
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

SPEED = {"train/patches_per_second", "train/data_wait"}
SETTINGS = {
    "data.cache": "false",
    "model.backbone": "resnet18",
    "model.weights": "none",
    "model.anchor_sizes": "[[40, 50, 63]]",
    "sampling.patch_size": "64",
    "sampling.patches_per_roi": "8",
    "train.batch_size": "4",
    "machine.device": "cpu",
    "train.epochs": "40",
    "train.validate_every": "5",
    "train.save_minutes": "0.05",
    "inference.tile": "256",
}


def start(data: Path, runs: Path) -> subprocess.Popen[bytes]:
    """Start `midog train` on the data; a second start resumes the first one's run."""
    words = [
        sys.executable,
        "-m",
        "midog",
        "-q",
        "train",
        "--data",
        str(data),
        "--runs",
        str(runs),
        "--name",
        "study",
    ]
    for key, value in SETTINGS.items():
        words += ["--set", f"{key}={value}"]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_at(process: subprocess.Popen[bytes], run: Path, seconds: float, in_write: bool) -> str:
    """Kill after so many seconds of training, or then in the next write of a checkpoint.

    Returns:
        Where it hit, in words.
    """
    began = None
    while process.poll() is None:
        if began is None and (run / ".lock").exists() and _is_locked(run):
            began = time.monotonic()
        due = began is not None and time.monotonic() - began > seconds
        parts = list(run.glob(".last.ckpt.*.part"))
        if due and (not in_write or parts):
            process.kill()
            process.wait()
            return where_it_hit(run)
        time.sleep(0.0005)
    return "it was finished before"


def where_it_hit(run: Path) -> str:
    """Say what a kill left, and how long after the last checkpoint it was."""
    left = sum(part.stat().st_size for part in run.glob(".last.ckpt.*.part"))
    last = run / "last.ckpt"
    if not last.exists():
        return f"before the first checkpoint ({left} bytes of it written)"
    progress = torch.load(last, weights_only=True)["progress"]
    where = f"in mid-write ({left} of {last.stat().st_size} bytes)" if left else "in mid-epoch"
    since = time.time() - last.stat().st_mtime
    return f"{where}, {since:.1f} s after the checkpoint of epoch {progress['epoch']}"


def _is_locked(run: Path) -> bool:
    import fcntl

    with (run / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Return the leaves of a checkpoint by path."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else None
    )
    if items is None:
        return {name: value}
    return {
        key: leaf for part, inner in items for key, leaf in flat(inner, f"{name}/{part}").items()
    }


def compare(one: Path, other: Path) -> tuple[int, list[str]]:
    """Return the number of tensors compared, and the names of those that differ."""
    first, second = (flat(torch.load(run / "last.ckpt", weights_only=True)) for run in (one, other))
    tensors = [key for key, value in first.items() if isinstance(value, torch.Tensor)]
    differing = [key for key in tensors if not torch.equal(first[key], second[key])]
    return len(tensors), differing + sorted(first.keys() ^ second.keys())


def metrics(run: Path) -> list[dict[str, str]]:
    """Return the rows of metrics.csv without those numbers that depend on speed."""
    with (run / "metrics.csv").open(newline="") as file:
        return [{key: row[key] for key in row if key not in SPEED} for row in csv.DictReader(file)]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        whole, broken = Path(folder, "whole"), Path(folder, "broken")
        if start(arguments.data, whole).wait():
            print("the unbroken run failed")
            return 1
        print(f"unbroken run: {time.monotonic() - began:.0f} s")
        for number in range(arguments.kills):
            seconds = rng.uniform(0.2, 2.5)
            hit = kill_at(
                start(arguments.data, broken), broken / "study", seconds, in_write=number % 2 == 1
            )
            print(f"kill {number + 1:2d}: {hit}", flush=True)
        if start(arguments.data, broken).wait():
            print("the killed run failed")
            return 1
        count, differing = compare(whole / "study", broken / "study")
        same = metrics(whole / "study") == metrics(broken / "study")
        print(
            f"{count} tensors (weights, average, optimizer), {len(differing)} differ; metrics.csv"
            f" equal: {same}"
        )
        return 0 if not differing and same else 1


if __name__ == "__main__":
    sys.exit(main())
