"""What `midog infer` prints: the model, figures of each image, what failed, what is left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from midog.cli.terminal import say, show_text
from midog.errors import escaped

if TYPE_CHECKING:
    from midog.inference.atypical import AtypicalClassifier
    from midog.inference.detector import Detector
    from midog.inference.jobs import Job
    from midog.inference.outcome import Outcome
    from midog.inference.shard import Shard
    from midog.inference.verified import VerifiedDetector


def announce(detector: Detector | VerifiedDetector, name: str) -> None:
    """State on stderr what detects, from which score on, and what is doubtful about that score."""
    say(f"model {name}, threshold {detector.threshold:.3f} ({detector.threshold_from})")
    if detector.views > 1:
        models, orientations = len(detector.members), len(detector.orientations)
        say(
            f"{models} model{'s' * (models > 1)} in {orientations}"
            f" orientation{'s' * (orientations > 1)}: {detector.views} times the work of one"
        )
    if not detector.threshold_is_tuned:
        say(
            "this threshold was not chosen for scores that are merged like this, which have another"
            " scale: `midog tune` or `midog ensemble make --data` chooses one"
        )


def announce_atypical(classifier: AtypicalClassifier) -> None:
    """State on stderr what tells atypical figures, and from which probability on."""
    own = classifier.classifier
    say(
        f"atypical figures by {own.folder}: {own.side} px of {own.mpp:g} um, threshold"
        f" {classifier.threshold:.3f} ({classifier.threshold_from})"
    )


def print_cost(detector: Detector | VerifiedDetector, outcome: Outcome) -> None:
    """State what a second look and several views took."""
    from midog.inference.verified import VerifiedDetector

    if isinstance(detector, VerifiedDetector) and detector.crops:
        say(detector.cost)
    if detector.views > 1 and outcome.spent:
        say(f"{outcome.ms_per_megapixel:.0f} ms per megapixel")


def print_outcome(outcome: Outcome, jobs: Sequence[Job], out: Path) -> None:
    """Figures of each image on stdout; their sum, and that of each scanner a manifest states, on
    stderr."""
    for name, figures in outcome.figures.items():
        atypical = outcome.atypical.get(name)
        words = "" if atypical is None else f", {atypical} atypical"
        show_text(f"{escaped(name)}\t{figures} mitotic figures{words}\n")
    scanners = {job.name: job.scanner for job in jobs if job.scanner}
    for scanner in sorted(set(scanners.values())):
        of_scanner = [
            figures for name, figures in outcome.figures.items() if scanners.get(name) == scanner
        ]
        say(f"{scanner}: {len(of_scanner)} images done, {sum(of_scanner)} mitotic figures")
    done = f"{len(outcome.figures)} images done, {sum(outcome.figures.values())} mitotic figures"
    if outcome.atypical:
        done += f", {sum(outcome.atypical.values())} of them atypical"
    skipped = (
        f", {len(outcome.skipped)} were done before (--overwrite detects again)"
        if outcome.skipped
        else ""
    )
    say(f"{done}{skipped}; detections are in {out}/")


def print_shard(shard: Shard, jobs: Sequence[Job], out: Path) -> None:
    """State on stderr what of all shards' images is done by now.

    Args:
        shard: That this process did.
        jobs: Of all shards.
        out: The folder.
    """
    from midog.inference.output_entries import entry_path

    done = sum(entry_path(out, job.stem).is_file() for job in jobs)
    say(f"shard {shard}: {done} of the {len(jobs)} images of all shards are done by now")
