"""What tests of entries to the challenge share: a document that is accepted, and a job's input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from midog.submission.contract import CLASSIFICATION, DETECTION, Track

INPUTS = [{"image": {"name": "350.tiff"}, "interface": {"slug": DETECTION.slug, "kind": "Image"}}]


def document(*points: Any, **changes: Any) -> dict[str, Any]:
    """A file of points as the challenge takes it; changes: its keys, None leaves one out."""
    whole = {
        "name": "Points of interest",
        "type": "Multiple points",
        "points": list(points),
        "version": {"major": 1, "minor": 0},
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not None}


def point(**changes: Any) -> dict[str, Any]:
    """A point that is accepted; None leaves a key out."""
    whole = {"name": "mitotic figure", "point": [0.5, 1.25, 0], "probability": 0.9, **changes}
    return {key: value for key, value in whole.items() if value is not None}


def pixels(seed: int = 0) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 250, (8, 9, 3), dtype=np.uint8)
    return coarse.repeat(20, axis=0).repeat(20, axis=1)


def write_input(folder: Path, name: str = "350.tiff") -> Path:
    """What the platform gives to a job; returns the image, 180 x 160 px of 0.25 um."""
    image = _begin_input(folder, DETECTION) / name
    tifffile.imwrite(image, pixels(), resolution=(40000, 40000), resolutionunit="CENTIMETER")
    return image


def write_stack(folder: Path, crops: np.ndarray[Any, Any]) -> Path:
    """What the platform gives to a job of track 2; crops: (N, S, S, 3), of 0.25 um."""
    image = _begin_input(folder, CLASSIFICATION) / "stack_5.tiff"
    how = {"resolution": (40000, 40000), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(image, crops, photometric="rgb", compression="deflate", **how)
    return image


def _begin_input(folder: Path, track: Track) -> Path:
    """Write the list of inputs; returns the folder of the image."""
    (folder / track.images).mkdir(parents=True)
    inputs = [{"image": {"name": "350.tiff"}, "interface": {"slug": track.slug, "kind": "Image"}}]
    (folder / "inputs.json").write_text(json.dumps(inputs))
    return folder / track.images
