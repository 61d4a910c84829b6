"""Fixtures that several test files share."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:  # read when torch is imported, here and in subprocesses
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from midog import mpp
from midog.cli import main as cli
from tests.spoiled import TINY, Ran

# a background job of a shell ignores Ctrl-C, one of nohup a closed terminal, and so would the
# commands that the tests interrupt
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# the same cases on every run: a test that fails now and then is no test
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


SLOW_FIXTURES = {"chromium", "classifier", "model", "planted", "trained", "unbroken", "whole"}
"""Those that train a model or open a browser."""

SLOW_PATHS = (
    "augment/test_toy_op.py",
    "bench",
    "benchmarks",
    "cli/test_bench.py",
    "cli/test_scores.py",
    "cli/test_shift.py",
    "cli/test_train.py",
    "config/test_shipped.py",
    "data/annotations/test_toy_reader.py",
    "data/phantom/test_tissue.py",
    "evaluation/test_measures.py",
    "evaluation/test_tuning.py",
    "images/test_open_slide.py",
    "images/test_tiff_segments.py",
    "inference/test_batch.py",
    "inference/test_detector.py",
    "metrics/test_agreement.py",
    "metrics/test_froc.py",
    "metrics/test_hotspot.py",
    "metrics/test_pooled_matches.py",
    "metrics/test_sweep.py",
    "metrics/test_thresholds.py",
    "models/test_build.py",
    "models/test_detection_copy.py",
    "models/test_detectors_in_use.py",
    "models/test_faster_rcnn.py",
    "models/test_fcos.py",
    "models/test_overfit.py",
    "models/test_protocol.py",
    "models/test_retinanet.py",
    "models/test_timm_backbone.py",
    "models/test_toy_backbone.py",
    "models/test_toy_detector.py",
    "models/test_weights.py",
    "report",
    "scripts",
    "shift",
    "studies",
    "submission/test_kit.py",
    "test_demo.py",
    "test_tiling.py",
    "training/tasks/test_toy_task.py",
    "training/test_checkpoint.py",
    "training/test_learner.py",
    "training/test_optimise.py",
    "training/test_train.py",
)
"""Files and folders that train, run many processes, draw whole pages, or try thousands of cases."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `pytest -m "not slow"` leaves out."""
    slow = [Path(__file__).parent / path for path in SLOW_PATHS]
    for item in items:
        here = [path for path in slow if item.path == path or path in item.path.parents]
        if here or SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name bytes by their argument: what gzip wrote holds the second of the day, and each process
    that collects tests would have other names."""
    return argname if isinstance(val, bytes) and len(val) > 8 else None


@pytest.fixture(autouse=True)
def unsaid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings that are given once in a process are given once in a test."""
    monkeypatch.setattr(mpp, "_FIRST", {})


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
def dark_spots(monkeypatch: pytest.MonkeyPatch) -> None:
    """The detector of `tests.planted` is one of DETECTORS."""
    from tests.planted import register

    register(monkeypatch)


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/, detector/, alarms.csv and verifier/, a trained run; see
    `tests.planted`."""
    from tests.planted import register, train_verifier

    root = tmp_path_factory.mktemp("planted")
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        train_verifier(root).rename(root / "verifier")
    return root


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained run of a classifier of patches, with its data in data/ beside it; see
    `tests.drawn_patches`."""
    from midog.config.load import load_config
    from midog.training.train import train
    from tests.drawn_patches import SETTINGS, write_hdf5

    root = tmp_path_factory.mktemp("classifier")
    overrides = [*SETTINGS, f"data.dir={write_hdf5(root / 'data')}"]
    config = load_config("patches_resnet18", overrides)
    return train(config, runs=root, name="run")


@pytest.fixture
def tiny(phantom: Path) -> list[str]:
    """Overrides of a training on `phantom` that takes a second an epoch on a CPU."""
    return [f"data.dir={str(phantom)!r}", *TINY]


@pytest.fixture
def midog(monkeypatch, capsys) -> Callable[..., Ran]:
    """Run the command line in this process, as its console script would."""

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["midog", *map(str, arguments)])
        code = 0
        try:
            code = cli.main()
        except SystemExit as stop:  # of a test's own
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a study trained and tested; trainings finish at once, and all tests score alike."""
    from midog.metrics.scored_rois import write_arrays
    from midog.studies import run, trainings
    from tests.studies.small import finish_at_once, scored

    asked: list[str] = []

    def train(config, *, name, runs, rois):
        asked.append(name.rsplit("-", 1)[0])
        return finish_at_once(config, name=name, runs=runs, rois=rois)

    def fill(cells, runs, folder, device, on_image) -> bool:
        for cell in cells:
            rois = [roi for rois in cell.rois.values() for roi in rois]
            cell.file.parent.mkdir(parents=True, exist_ok=True)
            found = {roi.file_name: (roi.scanner, 1, [(0.9, True)]) for roi in rois}
            write_arrays(cell.file, scored(found))
        asked.append(f"test {cells[0].detector.name}")
        return True

    monkeypatch.setattr(trainings, "train", train)
    monkeypatch.setattr(run, "fill_cells", fill)
    return asked
