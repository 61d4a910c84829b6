"""The plan of a study: its trainings, each once, and the detectors that are made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from midog.config.schema import RunConfig
from midog.data.folder import data_fingerprint, read_rois, require_images
from midog.data.roi import Roi
from midog.errors import ConfigError, DataError
from midog.json_text import to_json
from midog.studies.budget import budgeted, draws_per_epoch
from midog.studies.designs import DESIGNS, Part, listed_in
from midog.studies.row_settings import layered, row_config
from midog.studies.second_look import plan_second_look
from midog.studies.study_file import Row, Study
from midog.studies.study_settings import VAL, Overlay
from midog.studies.trainings import Training, require_one_device, run_of, split_file
from midog.training.identity import Identity

OnRate = Callable[[Identity, Sequence[Roi]], float]
"""Seconds of one update of a training with these settings and ROIs; NaN where it is not known."""


@dataclass(frozen=True, eq=False)
class Planned:
    """A detector of a study: of one row, one part of a design, and one seed, or several that detect
    as one.

    Attributes:
        row: Its row.
        design: Its design.
        part: What it is trained on.
        seeds: Of its trainings.
        trainings: Its trainings, in the order of the seeds.
        verifier: The training of the second look at its detections; None: there is none.
    """

    row: Row
    design: str
    part: Part
    seeds: tuple[int, ...]
    trainings: tuple[Training, ...]
    verifier: Training | None = None

    @property
    def needs(self) -> tuple[Training, ...]:
        """All of its trainings."""
        return self.trainings if self.verifier is None else (*self.trainings, self.verifier)

    @cached_property
    def key(self) -> str:
        """12 hex digits of its trainings and of how it detects: detectors of one key are one."""
        facts = [[training.key for training in self.needs], self.row.detect]
        return hashlib.sha256(to_json(facts).encode()).hexdigest()[:12]

    @property
    def is_retuned(self) -> bool:
        """It detects otherwise than its models did when they chose their threshold."""
        return len(self.seeds) > 1 or bool(self.row.detect) or self.verifier is not None

    @property
    def name(self) -> str:
        """For a line."""
        seeds = "+".join(map(str, self.seeds))
        return f"{self.row.name}, {self.part.name}, seed {seeds}"


@dataclass(frozen=True, eq=False)
class Plan:
    """All that a study trains and tests.

    Attributes:
        study: The study.
        folders: Data folders by name.
        rois: Their ROIs, each with its place in the split of its own folder.
        detectors: In the order of the table.
    """

    study: Study
    folders: Mapping[str, Path]
    rois: Mapping[str, Sequence[Roi]]
    detectors: Sequence[Planned]

    @cached_property
    def trainings(self) -> list[Training]:
        """Each once, those of detectors first, in the order in which they are needed; with those
        whose false alarms a second look is trained on."""
        looks = {t.key: t for one in self.detectors if (t := one.verifier) is not None}
        own = dict.fromkeys(t for detector in self.detectors for t in detector.trainings)
        own |= dict.fromkeys(source for look in looks.values() for source in look.sources)
        return [*own, *looks.values()]

    def tested(self, detector: Planned, test: str) -> dict[str, list[Roi]]:
        """The ROIs of a test set for a detector, by data folder.

        In folders that it is trained on, the role of an ROI is that of the detector's own split,
        else that of the folder's: ROIs of a scanner that is left out keep theirs.

        Raises:
            DataError: There are none.
        """
        if test == VAL:
            wanted = {name: (VAL, dict[str, str]()) for name in self.study.data}
        else:
            settings = self.study.tests[test]
            wanted = {settings.data: (settings.subset, settings.where)}
        chosen = {
            name: self._of_role(detector, name, subset, where)
            for name, (subset, where) in wanted.items()
        }
        chosen = {name: rois for name, rois in chosen.items() if rois}
        if not chosen:
            raise DataError(
                f"test {test!r} of row {detector.row.name} ({detector.part.name}) has no ROI",
                "state another data folder, subset or where in the study file",
            )
        return chosen

    def _of_role(
        self, detector: Planned, name: str, subset: str, where: Mapping[str, str]
    ) -> list[Roi]:
        roles: dict[str, str] = {}
        if name in detector.row.data:
            roles = {row.file_name: row.split for row in detector.part.split.rows}
        return [
            roi
            for roi in self.rois[name]
            if (role := roles.get(roi.file_name, roi.split)) == subset
            or (subset == "all" and role != "unlabelled")
            if all(_column(roi, key) == value for key, value in where.items())
        ]


def make_plan(
    study: Study,
    folders: Mapping[str, Path],
    runs: Path,
    *,
    overlay: Overlay,
    rate: OnRate,
) -> Plan:
    """Read the data of a study and plan what it trains.

    Args:
        study: The study.
        folders: Data folders by name, at least those that it names.
        runs: Folder of its runs.
        overlay: Settings of this machine, over those of all rows.
        rate: Seconds per update of a training, for budgets in seconds.

    Raises:
        ConfigError: A data folder is not given, a setting is wrong, or it names several devices.
        DataError: The data cannot be used.
    """
    _require_folders(study, folders)
    rois = {name: read_rois(folders[name]) for name in study.folders}
    read: dict[tuple[str, ...], list[Roi]] = {}
    parts: dict[tuple[tuple[str, ...], str], list[Part]] = {}
    planned: dict[str, Training] = {}
    detectors = []
    for row in study.rows.values():
        if row.data not in read:
            read[row.data] = read_rois([folders[name] for name in row.data], quiet=True)
            needed = [roi for roi in read[row.data] if roi.split in ("train", "val")]
            require_images(needed)
        base = row_config(row, overlay)
        require_one_device(base.machine)
        for design in row.designs:
            if (row.data, design) not in parts:
                parts[row.data, design] = DESIGNS[design].plan(read[row.data], study.folds)
            for part in parts[row.data, design]:
                own = _Planner(row, base, part, listed_in(part.split, read[row.data]), rate)
                for seeds in row.seed_groups:
                    trainings = [own.training(seed, folders, runs) for seed in seeds]
                    shared = tuple(planned.setdefault(one.key, one) for one in trainings)
                    detectors.append(Planned(row, design, part, seeds, shared))
    detectors = [_with_second_look(one, detectors, overlay, runs) for one in detectors]
    plan = Plan(study, folders, rois, detectors)
    for detector in detectors:  # before anything is trained
        for test in (VAL, *study.tests):
            plan.tested(detector, test)
    return plan


@dataclass(frozen=True, eq=False)
class _Planner:
    """Plans the trainings of a row on one part."""

    row: Row
    base: RunConfig
    part: Part
    rois: Sequence[Roi]
    rate: OnRate

    def training(self, seed: int, folders: Mapping[str, Path], runs: Path) -> Training:
        fingerprint = data_fingerprint(self.rois)
        file = split_file(runs, f"{self.part.name}-{fingerprint[:8]}")
        dirs = tuple(folders[name] for name in self.row.data)
        data = {"dir": dirs if len(dirs) > 1 else dirs[0], "split": str(file)}
        config = self.base.with_values(data=data)
        if self.row.budget is not None:
            draws = draws_per_epoch(config.sampling.patches_per_roi, self.rois)
            rate = partial(self.rate, Identity(config, fingerprint), self.rois)
            config = config.with_values(train=budgeted(config.train, draws, self.row.budget, rate))
        config = config.with_values(train={"seed": seed})
        key = Identity(config, fingerprint).digest()
        name = f"{self.row.name}-{self.part.name}-s{seed}-{key}"
        about = ", ".join(self.part.train_on)
        planned = Training(name, config, self.part.split, self.rois, about, key)
        begun = run_of(runs, planned)
        name = name if begun is None else begun.name
        return Training(name, config, self.part.split, self.rois, about, key)


def _with_second_look(
    detector: Planned, detectors: Sequence[Planned], overlay: Overlay, runs: Path
) -> Planned:
    """The detector with the second look that its row states, trained on false alarms of the row's
    detectors of the same seed that were trained on the most of its scanners, but not on all."""
    row, stated = detector.row, detector.row.verifier
    if stated is None:
        return detector
    own = set(detector.part.train_on)
    fewer = [
        one
        for one in detectors
        if (one.row.name, one.seeds) == (row.name, detector.seeds) and set(one.part.train_on) < own
    ]
    most = max((len(one.part.train_on) for one in fewer), default=0)
    sources = [t for one in fewer if len(one.part.train_on) == most for t in one.trainings]
    config = layered(row.name, stated.config, (stated.set, overlay))
    trained = detector.trainings[0]
    look = plan_second_look(
        replace(trained, config=config), trained, list(dict.fromkeys(sources)), runs
    )
    return replace(detector, verifier=look)


def _column(roi: Roi, name: str) -> str:
    return {"scanner": roi.scanner, "patient": roi.patient}.get(name, roi.columns.get(name, ""))


def _require_folders(study: Study, folders: Mapping[str, Path]) -> None:
    if missing := [name for name in study.folders if name not in folders]:
        raise ConfigError(
            f"study {study.name} needs the data folder{'s' * (len(missing) > 1)}"
            f" {', '.join(missing)}",
            "state where with {data}",
            {"data": f"{missing[0]}=FOLDER"},
        )
    if unknown := [name for name in folders if name not in study.folders]:
        raise ConfigError(
            f"study {study.name} uses no data folder named {unknown[0]}",
            f"choose from {', '.join(study.folders)}",
        )
