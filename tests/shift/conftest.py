"""A study of two models, trained for one epoch each on the phantom."""

from __future__ import annotations

from pathlib import Path

import pytest

from midog.config.load import load_config
from midog.studies.scanners import train_study
from tests.spoiled import TINY


@pytest.fixture(scope="session")
def trained(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Runs only_phantom_a and only_phantom_b; copy them before you change them."""
    config = load_config(None, [f"data.dir={str(phantom)!r}", *TINY, "train.epochs=1"])
    return train_study(config, runs=tmp_path_factory.mktemp("study") / "runs")
