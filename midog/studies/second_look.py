"""Second looks of a study: planned for each detector, trained on false alarms out of fold."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from midog.data.candidates import write_candidates
from midog.json_text import to_json
from midog.studies.out_of_fold import out_of_fold
from midog.studies.trainings import Training, finished_run, run_of
from midog.training.identity import Identity


def plan_second_look(
    look: Training, detector: Training, sources: Sequence[Training], runs: Path
) -> Training:
    """Plan the training of a second look at a detector.

    Args:
        look: The detector's training with the settings of the second look in the place of its own;
            data and seed stay those of the detector.
        detector: The training of the detector.
        sources: Trainings whose models were not trained on some of its train ROIs; none: it is
            trained on figures and imposters alone.
        runs: Folder of runs.
    """
    data = {"dir": detector.config.data.dir, "split": detector.config.data.split}
    config = look.config.with_values(data=data, train={"seed": detector.config.train.seed})
    facts = [
        Identity(config, detector.identity.fingerprint).digest(),
        detector.key,
        [source.key for source in sources],
    ]
    key = hashlib.sha256(to_json(facts).encode()).hexdigest()[:12]
    stem = detector.name.removesuffix(f"-{detector.key}")
    planned = replace(
        detector,
        name=f"{stem}-second_look-{key}",
        config=config,
        about=f"the detections of {detector.name}",
        key=key,
        verifies=detector,
        sources=tuple(sources),
    )
    begun = run_of(runs, planned)
    return planned if begun is None else replace(planned, name=begun.name)


def is_ready(training: Training, runs: Path) -> bool:
    """Whether the models that a second look needs are trained; of a detector always."""
    needed = [*training.sources, *([training.verifies] if training.verifies else [])]
    return all(finished_run(runs, one) is not None for one in needed)


def find_candidates(training: Training, runs: Path, folder: Path) -> dict[str, str]:
    """Find the false alarms that a second look is trained on.

    Args:
        training: Of the second look, which `is_ready`; a detector needs none.
        runs: Folder of runs.
        folder: Of the study; the detections are kept in FOLDER/candidates/.

    Returns:
        Settings of its `task`: the detector, and where they are.

    Raises:
        MidogError: As of `out_of_fold`.
    """
    if training.verifies is None:
        return {}
    own: dict[str, str] = {"detector": str(finished_run(runs, training.verifies))}
    if training.sources:
        place = folder / "candidates" / training.key
        models = [path for one in training.sources if (path := finished_run(runs, one))]
        found = out_of_fold(models, training.rois, place, device=training.config.machine.device)
        write_candidates(place / "candidates.csv", found)
        own["candidates"] = str(place / "candidates.csv")
    return own
