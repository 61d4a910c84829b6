"""How the models of a row detect: alone or as one, and with which options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from midog.config.settings import near, one_of
from midog.errors import ConfigError
from midog.inference.detector import Detector

OPTIONS: dict[str, str] = {
    "orientations": "in how many of the eight orientations every tile is shown: 1, 2, 4 or 8",
    "overlap": "px by which tiles overlap",
    "tile": "side of a tile, px",
}
"""Options of `detect:` in a row, which `Detector.load` takes."""


def check_options(row: str, options: Mapping[str, Any]) -> None:
    """Refuse an option that does not exist.

    Raises:
        ConfigError: Names the row.
    """
    for name in options:
        if name not in OPTIONS:
            what = f"row {row}: detect has no option {name}{near(name, OPTIONS)}"
            raise ConfigError(what, f"choose {one_of(OPTIONS)}")


def load_detector(runs: Sequence[Path], options: Mapping[str, Any], device: str) -> Detector:
    """Load the models of some runs as one detector.

    Args:
        runs: Folders of finished runs; the detections of several are fused.
        options: Of OPTIONS.
        device: Where to detect.

    Raises:
        MidogError: As of `Detector.load`.
    """
    folders: Any = list(runs) if len(runs) > 1 else runs[0]
    return Detector.load(folders, device=device, **options)
