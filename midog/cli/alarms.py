"""`midog alarms`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from midog.cli.options import (
    DATA,
    MODEL,
    OUTPUT,
    RUN,
    ConfigOption,
    EpochsOption,
    SetOption,
    SplitOption,
    TrainingClassesOption,
    TrainingDataOption,
    TrainingDeviceOption,
    TrainingSeedOption,
    option,
)
from midog.cli.shared import stoppable, training_settings
from midog.cli.terminal import say, show
from midog.errors import ConfigError, DataError


def alarms(
    data: TrainingDataOption = None,
    split: SplitOption = None,
    classes: TrainingClassesOption = None,
    config: ConfigOption = None,
    epochs: EpochsOption = None,
    seed: TrainingSeedOption = None,
    overrides: SetOption = None,
    folds: Annotated[
        int | None,
        option(
            "--folds",
            "K",
            "Train K detectors, each without a part of the train ROIs, as the settings say.",
            MODEL,
            min=2,
            max=100,
        ),
    ] = None,
    model: Annotated[
        list[Path] | None,
        option(
            "--model",
            "FOLDER",
            "Run or model that did not train on all of the train ROIs; repeatable.",
            MODEL,
        ),
    ] = None,
    detections: Annotated[
        list[Path] | None,
        option(
            "--detections",
            "FOLDER",
            "Detections in train ROIs that exist already; repeatable.",
            DATA,
        ),
    ] = None,
    device: TrainingDeviceOption = None,
    runs: Annotated[Path, option("--runs", "FOLDER", "Folder of the runs of the folds.", RUN)] = (
        Path("runs/folds")
    ),
    out: Annotated[Path, option("--out", "FILE", "CSV to write.", OUTPUT)] = Path("alarms.csv"),
    overwrite: Annotated[
        bool, option("--overwrite", None, "Replace a file that exists.", OUTPUT)
    ] = False,
) -> None:
    """List false alarms of a detector in train ROIs it did not see.

    `midog train --task verify` is trained on them. Each train ROI is looked at by a detector that
    was trained on no ROI of its patient: one of --folds, or the first of --model that fits. A CSV
    with file_name, x, y, label, origin and score is written, and the detections into a folder
    beside it. Finished folds are skipped, unfinished ones resumed.
    """
    if sum(given is not None for given in (folds, model or None, detections or None)) != 1:
        raise ConfigError(
            "detections come from one of three sources",
            "give {folds}, {model} or {detections}",
            {"folds": None, "model": None, "detections": None},
        )
    if out.exists() and not overwrite:
        raise DataError(
            f"{out} exists already",
            "choose another {out}, or {overwrite}",
            {"out": None, "overwrite": True},
        )
    settings = training_settings(
        config,
        overrides,
        data=data,
        split=split,
        classes=classes,
        epochs=epochs,
        seed=seed,
        device=device,
    )
    from midog.data.candidates import write_candidates
    from midog.evaluation.labelled_detections import candidates_of
    from midog.studies.out_of_fold import describe_candidates, out_of_fold, train_folds
    from midog.training.tasks.detection_data import of_role, read_training_rois

    rois = read_training_rois(settings.data)
    with stoppable("stopped; the same command continues with what is left"):
        if detections:
            train = of_role(rois, "train")
            listed = [one for folder in detections for one in candidates_of(folder, train, rois)]
        else:
            models = model or []
            if folds is not None:
                models = train_folds(settings, rois, folds, runs=runs, on_training=_report)
            beside = out.parent / f"{out.stem}_detections"
            listed = out_of_fold(models, rois, beside, device=settings.machine.device)
    write_candidates(out, listed)
    say(describe_candidates(listed))
    show(out)
    say(f"next: midog train --task verify --candidates {out} --detector RUN")


def _report(done: int, total: int, line: str) -> None:
    say(f"{done + 1}/{total} {line}")
