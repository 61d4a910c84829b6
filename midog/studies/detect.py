"""How the models of a row detect: alone or as one, and with which options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from midog.config.settings import near, one_of
from midog.errors import ConfigError
from midog.inference.calibration import Calibration
from midog.inference.detector import Detector
from midog.inference.member import Member
from midog.inference.verified import VerifiedDetector
from midog.inference.verifier import load_verifier

CALIBRATE = "calibrate"
OPTIONS: dict[str, str] = {
    CALIBRATE: "true: scores moved, image by image, to their level on val of the seen scanners",
    "orientations": "in how many of the eight orientations every tile is shown: 1, 2, 4 or 8",
    "overlap": "px by which tiles overlap",
    "tile": "side of a tile, px",
}
"""Options of `detect:` in a row; all but the first are those of `Detector.load`."""


def check_options(row: str, options: Mapping[str, Any]) -> None:
    """Refuse an option that does not exist.

    Raises:
        ConfigError: Names the row.
    """
    for name in options:
        if name not in OPTIONS:
            what = f"row {row}: detect has no option {name}{near(name, OPTIONS)}"
            raise ConfigError(what, f"choose {one_of(OPTIONS)}")
    if not isinstance(options.get(CALIBRATE, False), bool):
        what = f"row {row}: detect.{CALIBRATE} is {options[CALIBRATE]!r}"
        raise ConfigError(what, "write true or false")


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
        options: Of OPTIONS.
        device: Where to detect.
        verifier: Folder of the run of a second look; None: none.
        calibration_of: Measures that of networks, for `calibrate`.

    Raises:
        MidogError: As of `Detector.load`.
    """
    own = {name: value for name, value in options.items() if name != CALIBRATE}
    detector = Detector.load(list(runs), device=device, **own)
    if options.get(CALIBRATE) and calibration_of is not None:
        detector.calibration = calibration_of(detector.members)
    if verifier is None:
        return detector
    return VerifiedDetector(detector, load_verifier(verifier, device=device))
