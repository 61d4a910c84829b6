"""How the models of a row detect: alone or as one, and with which options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from midog.config.settings import near, one_of
from midog.errors import ConfigError
from midog.inference.adapt import adapt
from midog.inference.calibration import Calibration
from midog.inference.detector import Detector
from midog.inference.jobs import Job
from midog.inference.member import Member
from midog.inference.verified import VerifiedDetector
from midog.inference.verifier import load_verifier

ADAPT, CALIBRATE = "adapt", "calibrate"
OPTIONS: dict[str, str] = {
    ADAPT: "true: BatchNorm statistics of the tested ROIs of each scanner, labels unused",
    CALIBRATE: "true: scores moved, image by image, to their level on val of the seen scanners",
    "orientations": "in how many of the eight orientations every tile is shown: 1, 2, 4 or 8",
    "overlap": "px by which tiles overlap",
    "tile": "side of a tile, px",
}
"""Options of `detect:` in a row; all but the first two are those of `Detector.load`."""
_SWITCHES = (ADAPT, CALIBRATE)


def check_options(row: str, options: Mapping[str, Any]) -> None:
    """Refuse an option that does not exist.

    Raises:
        ConfigError: Names the row.
    """
    for name in options:
        if name not in OPTIONS:
            what = f"row {row}: detect has no option {name}{near(name, OPTIONS)}"
            raise ConfigError(what, f"choose {one_of(OPTIONS)}")
    for name in _SWITCHES:
        if not isinstance(options.get(name, False), bool):
            what = f"row {row}: detect.{name} is {options[name]!r}"
            raise ConfigError(what, "write true or false")
    if all(options.get(name) for name in _SWITCHES):
        raise ConfigError(
            f"row {row}: detect.{ADAPT} and detect.{CALIBRATE} do not go together: one changes the"
            " weights whose level the other measures",
            "write two rows",
        )


def load_detector(
    runs: Sequence[Path],
    options: Mapping[str, Any],
    device: str,
    verifier: Path | None = None,
    calibration_of: Callable[[Sequence[Member]], Calibration] | None = None,
) -> Detector | VerifiedDetector:
    """Load the models of some runs as one detector.

    Args:
        runs: Folders of finished runs, or of models; the detections of several are fused.
        options: Of OPTIONS; `adapt` plays no part here.
        device: Where to detect.
        verifier: Folder of the run of a second look; None: none.
        calibration_of: Measures that of networks, for `calibrate`.

    Raises:
        MidogError: As of `Detector.load`.
    """
    own = {name: value for name, value in options.items() if name not in _SWITCHES}
    detector = Detector.load(list(runs), device=device, **own)
    if options.get(CALIBRATE) and calibration_of is not None:
        detector.calibration = calibration_of(detector.members)
    if verifier is None:
        return detector
    return VerifiedDetector(detector, load_verifier(verifier, device=device))


def adapted_models(
    runs: Sequence[Path], jobs: Sequence[Job], scanner: str, out: Path, device: str
) -> list[Path]:
    """Adapt the models of some runs to images of a scanner; their labels play no part.

    Args:
        runs: Folders of finished runs.
        jobs: The images.
        scanner: Of the images.
        out: Folder for the adapted models; those that are there are replaced.
        device: Where to detect.

    Raises:
        MidogError: As of `adapt`.
    """
    models = [out / f"model{number}" for number in range(1, len(runs) + 1)]
    for run, model in zip(runs, models, strict=True):
        adapt(run, jobs, model, scanner=scanner, device=device)
    return models
