"""Conditions with a network and images so small that a stage takes a second."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from midog.bench.conditions import Conditions
from midog.bench.drawn_rois import draw_rois
from midog.config.load import load_config
from midog.data.roi import Roi
from tests.bench.small import MACHINE, SMALL, make_haste


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    make_haste(monkeypatch)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Roi]:
    """An ROI of 700 x 600 px in each kind of file."""
    return draw_rois(tmp_path_factory.mktemp("drawn"), 700, 600)


@pytest.fixture
def conditions(drawn: list[Roi], tmp_path: Path) -> Conditions:
    """One round on one CPU thread."""
    return Conditions(
        device=torch.device("cpu"),
        machine=MACHINE,
        configs={"small": load_config(None, SMALL)},
        threads=1,
        rounds=1,
        batch=1,
        detections=400,
        rois=drawn,
        folder=tmp_path,
        say=lambda line: None,
    )
