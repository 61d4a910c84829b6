"""Fixtures that several test files share."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from midog.cli import main as cli
from tests.spoiled import TINY, Ran

# the same cases on every run: a test that fails now and then is no test
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real files beside the project (data/, parity/)."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "data").is_dir():
        pytest.skip(f"no real files: {folder / 'data'} is not there")
    return folder


@pytest.fixture(scope="session")
def composite(shared: Path) -> Path:
    """Labelled ROIs with real cells of three scanners."""
    return shared / "data" / "composite"


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small drawn data folder: two labelled scanners in train, val and test, a third in test, one
    unlabelled."""
    from midog.data.phantom.draw import draw_phantom

    return draw_phantom(
        tmp_path_factory.mktemp("phantom") / "data", rois_per_scanner=3, size=256, seed=1
    )


@pytest.fixture(scope="session")
def model(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch on `phantom`; copy it before you change it."""
    from midog.config.load import load_config
    from midog.training.train import train

    overrides = [f"data.dir={str(phantom)!r}", *TINY, "train.epochs=1"]
    return train(load_config(None, overrides), runs=tmp_path_factory.mktemp("runs"), name="a")


@pytest.fixture(scope="session")
def trained(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Runs only_phantom_a and only_phantom_b; copy them before you change them."""
    from midog.config.load import load_config
    from midog.studies.scanners import train_study

    config = load_config(None, [f"data.dir={str(phantom)!r}", *TINY, "train.epochs=1"])
    return train_study(config, runs=tmp_path_factory.mktemp("study") / "runs")


@pytest.fixture
def tiny(phantom: Path) -> list[str]:
    """Overrides of a training on `phantom` that takes a second an epoch on a CPU."""
    return [f"data.dir={str(phantom)!r}", *TINY]


@pytest.fixture
def midog(monkeypatch, capsys) -> Callable[..., Ran]:
    """Run the command line in this process, as its console script would."""

    terminate = signal.getsignal(signal.SIGTERM)

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["midog", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        finally:
            signal.signal(signal.SIGTERM, terminate)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run
