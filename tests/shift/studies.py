"""What tests of the shift report share: its quick settings, copies of runs, and what is equal."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np

from midog.config.load import load_config
from midog.shift.result import ShiftResult

SMALL = {"device": "cpu", "per_roi": 2, "patch_px": 64, "resamples": 40}
SCANNERS = ["Phantom A", "Phantom B", "Phantom C", "Phantom D"]


def copy_runs(folder: Path, to: Path) -> Path:
    """A copy of a run, or of a folder of runs, without what only a training needs; weights are
    linked."""

    def take(a: str, b: str) -> None:
        (os.link if a.endswith(".safetensors") else shutil.copy2)(a, b)

    ignore = shutil.ignore_patterns("last.ckpt", "events*")
    return Path(shutil.copytree(folder, to, symlinks=True, ignore=ignore, copy_function=take))


def same(a: ShiftResult, b: ShiftResult) -> bool:
    """Figures, patches and projections."""
    return a.to_dict() == b.to_dict() and all(
        list(ours) == list(theirs) and all(np.array_equal(ours[key], theirs[key]) for key in ours)
        for ours, theirs in ((a.samples, b.samples), (a.projection, b.projection))
    )


def equal(a: object, b: object) -> bool:
    """Equal, NaN and all."""
    return repr(a) == repr(b)


def settle(run: Path, key: str, value: str) -> None:
    """Change what a run's config says of its data."""
    tree = load_config(run / "config.yaml")
    assert key in type(tree.data).model_fields
    data = tree.data.model_copy(update={key: value})
    (run / "config.yaml").write_text(tree.model_copy(update={"data": data}).to_yaml())
