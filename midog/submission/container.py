"""What a container finds where it runs: its folders, its kit's settings, its model, its image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from midog.errors import DetectionsError, ImageError, WeightsError
from midog.formats.challenge import interface_of
from midog.json_text import checked, read_json
from midog.mpp import HIGHEST_MPP, LOWEST_MPP
from midog.submission import contract
from midog.submission.contract import Track

KIT_NAME = "kit.json"
"""In a kit's model folder: what Kit says."""
DETECTOR, VERIFIER, CLASSIFIER = "detector", "verifier", "classifier"
"""Folders in a kit's model folder: of track 1 the first, and maybe the second; of track 2 the last.
"""

_INPUTS_FIX = "give the platform's list of inputs"
_AGAIN = "make the kit again by `midog submission make`"


class Kit(BaseModel):
    """How a kit detects or classifies; None takes what the model holds, or the image states."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    format: Literal[1] = 1
    track: Literal[1, 2] = 1
    threshold: float | None = Field(default=None, ge=0, le=1)
    orientations: Literal[1, 2, 4, 8] = 1
    mpp: float | None = Field(default=None, ge=LOWEST_MPP, le=HIGHEST_MPP)


@dataclass(frozen=True)
class Places:
    """The folders of a job. models: of these the first that holds a kit's model is taken."""

    input: Path = contract.INPUT
    output: Path = contract.OUTPUT
    models: tuple[Path, ...] = (contract.MODEL, contract.APP / "model")


def read_kit(folder: Path) -> Kit:
    """Read the settings in a kit's model folder.

    Raises:
        WeightsError: They are missing or damaged.
    """
    path = folder / KIT_NAME
    return checked(read_json(path, WeightsError, _AGAIN), Kit, str(path), WeightsError, _AGAIN)


def find_model(folders: Sequence[Path]) -> Path:
    """Find the first folder that holds a kit's model.

    A folder that is missing or empty is passed over, as the platform may make one.

    Raises:
        WeightsError: None holds one, or what comes first is something else.
    """
    for folder in folders:
        if (folder / KIT_NAME).is_file():
            return folder
        if folder.is_dir() and any(folder.iterdir()):
            raise WeightsError(
                f"{folder} holds no {KIT_NAME}", f"upload a kit's model/, or {_AGAIN}"
            )
    raise WeightsError(f"no model in {' or '.join(map(str, folders))}", _AGAIN)


def find_image(folder: Path, track: Track) -> Path:
    """Find the image of a job.

    Args:
        folder: That of the inputs.
        track: Which one the container is for.

    Raises:
        DetectionsError: inputs.json is missing, or of another interface.
        ImageError: There is no image, or there are several.
    """
    path = folder / contract.INPUTS_NAME
    slugs = sorted(_slug(one, path) for one in _as_list(read_json(path, DetectionsError), path))
    if slugs != [track.slug]:
        what = f"{path} has the inputs {', '.join(slugs) or '(none)'}, not {track.slug}"
        raise DetectionsError(what, f"run this container in MIDOG 2025, track {track.number}")
    place = folder / track.images
    files = sorted(place.iterdir()) if place.is_dir() else []
    images = [
        file
        for file in files
        if file.suffix.lower() in contract.IMAGE_SUFFIXES and not file.name.startswith(".")
    ]
    if len(images) != 1:
        names = ", ".join(file.name for file in images) or "none"
        endings = ", ".join(contract.IMAGE_SUFFIXES)
        raise ImageError(f"{place} should hold one image ({endings}); it holds {names}", "give one")
    return images[0]


def _as_list(tree: Any, path: Path) -> list[Any]:
    if not isinstance(tree, list):
        raise DetectionsError(f"{path} is no list", _INPUTS_FIX)
    return tree


def _slug(entry: Any, path: Path) -> str:
    """The slug of an input."""
    slug = interface_of(entry).get("slug")
    if not isinstance(slug, str):
        raise DetectionsError(f"{path} has an input without a slug", _INPUTS_FIX)
    return slug
