"""Two processes of four patches against one of eight: the same losses and weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from midog.training.log import read_metrics
from tests.processes import start
from tests.spoiled import TINY, settings

pytestmark = pytest.mark.slow

EXACT = [*TINY, "machine.precision=32-true", "sampling.patches_per_roi=3", "train.validate_every=2"]
"""12 patches of an epoch: the second step of eight is filled up."""


def trained(folder: Path, data: Path, processes: int, *overrides: str) -> tuple[Path, str]:
    """The run of two epochs on so many processes, eight patches in all; and what it printed."""
    shared = [f"machine.devices={processes}", f"train.batch_size={8 // processes}"]
    words = ["--data", data, "--name", f"of{processes}", "--epochs", 2]
    folder.mkdir(exist_ok=True)
    process = start("train", *settings([*EXACT, *shared, *overrides]), *words, cwd=folder)
    _, err = process.communicate()
    assert process.returncode == 0, err
    return folder / "runs" / f"of{processes}", err


def differences(one: Path, other: Path) -> tuple[float, float]:
    """The largest relative difference of the losses, and that of all weights together."""
    rows = [read_metrics(run / "metrics.csv") for run in (one, other)]
    names = [name for name in rows[0][0] if name.startswith("train/loss")]
    assert len(rows[0]) == len(rows[1]) == 2
    assert len(names) == 3
    losses = [
        abs(float(row[name]) / float(same[name]) - 1)
        for row, same in zip(*rows, strict=True)
        for name in names
    ]
    states = [torch.load(run / "last.ckpt", weights_only=True)["model"] for run in (one, other)]
    flat = [torch.cat([value.double().flatten() for value in state.values()]) for state in states]
    return max(losses), float((flat[0] - flat[1]).norm() / flat[0].norm())


def test_with_frozen_batch_norm_they_are_one_run(phantom, tmp_path):
    frozen = ("model.backbone.unfrozen_layers=0", "model.loss_normalizer=running_mean")
    one, _ = trained(tmp_path, phantom, 1, *frozen)
    two, said = trained(tmp_path, phantom, 2, *frozen)
    losses, weights = differences(one, two)
    assert losses <= 2e-6, "six digits are written"
    assert weights <= 1e-6
    assert "BatchNorm" not in said


def test_batch_norm_that_learns_makes_them_one_run_only_where_it_is_shared(phantom, tmp_path):
    # Adam, and large steps, make much of what is rounding alone
    plain = ("train.optimizer=sgd", "train.lr=0.001")
    one, _ = trained(tmp_path, phantom, 1, *plain)
    two, said = trained(tmp_path / "shared", phantom, 2, *plain, "train.sync_batch_norm=true")
    losses, weights = differences(one, two)
    assert losses <= 1e-5
    assert weights <= 1e-6
    assert "BatchNorm" not in said
    two, said = trained(tmp_path / "alone", phantom, 2, *plain)
    losses, weights = differences(one, two)
    assert losses > 1e-3
    assert said.count("BatchNorm") == 1
    assert "train.sync_batch_norm" in said
