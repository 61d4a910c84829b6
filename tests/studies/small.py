"""What tests of studies share: a study file over the phantom, runs that are done at once, scores
made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import yaml

from midog.config.schema import RunConfig
from midog.data.folder import data_fingerprint
from midog.data.roi import Roi
from midog.metrics.pooled_matches import PooledMatches
from midog.metrics.scored_rois import ScoredArrays
from midog.studies.plan import Plan
from midog.studies.run import Done, plan_study, run_study
from midog.studies.study_file import Study, read_study
from midog.studies.tested import TestedDetector
from midog.training.identity import Identity
from midog.training.resume import make_run
from midog.training.runs import write_state
from tests.spoiled import TINY

Found = tuple[float, bool]
"""Score of a detection, and whether it matches a figure."""


def tiny_overlay() -> dict[str, object]:
    """The settings of TINY, by key path."""
    pairs = (line.partition("=") for line in TINY)
    return {key: yaml.safe_load(value) for key, _, value in pairs}


def study_of(folder: Path, **keys: object) -> Study:
    """A study `s` over the phantom with small trainings; keys replace those of the file."""
    tree = {
        "set": {**tiny_overlay(), "train.epochs": 1, "train.validate_every": 1},
        "data": ["phantom"],
        "rows": {"baseline": None, "hot": {"like": "baseline", "set": {"train.lr": 0.01}}},
        **keys,
    }
    file = folder / "s.yaml"
    file.write_text(yaml.safe_dump(tree, sort_keys=False))
    return read_study(file)


def finish_at_once(config: RunConfig, *, name: str, runs: Path, rois: Sequence[Roi]) -> Path:
    """In the place of `train`: make the run, state that it is finished, and what it cost."""
    with ExitStack() as stack:
        identity = Identity(config, data_fingerprint(rois))
        folder = make_run(runs, identity, name=name, stack=stack).folder
    (folder / "metrics.csv").write_text("epoch,step,train/patches_per_second\n1,10,20\n")
    write_state(folder, {"finished": True, "epoch": config.train.epochs})
    return folder


def scored(
    rois: Mapping[str, tuple[str, int, Sequence[Found]]],
    threshold: float = 0.5,
    area_mm2: float = 0.5,
    speed: float = 100.0,
) -> ScoredArrays:
    """ROIs by name: scanner, figures, detections. Each is a patient of its own."""
    found = [(number, one) for number, (_, _, those) in enumerate(rois.values()) for one in those]
    hits = np.array([hit for _, (_, hit) in found], bool)
    matches = PooledMatches(
        np.array([score for _, (score, _) in found], np.float64),
        np.array([number for number, _ in found], np.int64),
        np.array([figures for _, figures, _ in rois.values()], np.int64),
        hits,
        hits,
    )
    return ScoredArrays(
        tuple(rois),
        tuple(scanner for scanner, _, _ in rois.values()),
        tuple(f"patient of {name}" for name in rois),
        np.full(len(rois), area_mm2),
        matches,
        threshold,
        speed,
    )


def detector(
    row: str,
    tests: Mapping[str, ScoredArrays],
    train_on: str = "A",
    seeds: tuple[int, ...] = (0,),
    part: str = "all",
    design: str = "all",
    retuned: bool = False,
) -> TestedDetector:
    """A tested detector, its scanners as letters."""
    return TestedDetector(row, design, part, seeds, tuple(train_on), retuned, tests)


def planned(folder: Path, phantom: Path, **keys: object) -> Plan:
    study = study_of(folder, choose={"by": "val F1"}, **keys)
    folders = {"phantom": phantom}
    return plan_study(study, folders, folder / "s", overlay={}, measure=False, say=print)


def work(plan: Plan, folder: Path, said: list[str]) -> Done:
    return run_study(plan, folder / "s", device="cpu", say=said.append, on_image=lambda *_: None)
