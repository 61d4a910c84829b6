"""What runs in the container: one image in, its mitotic figures out."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from midog.errors import DetectionsError, ImageError, MidogError, WeightsError
from midog.formats.challenge import interface_of, write_challenge
from midog.inference.detector import Detector
from midog.inference.verified import VerifiedDetector
from midog.inference.verifier import load_verifier
from midog.json_text import checked, read_json
from midog.mpp import HIGHEST_MPP, LOWEST_MPP
from midog.submission import contract
from midog.submission.refusals import refusals_of

KIT_NAME = "kit.json"
"""In a kit's model folder: what Kit says."""
DETECTOR, VERIFIER = "detector", "verifier"
"""Folders in a kit's model folder; the second one may be missing."""

_INPUTS_FIX = "give the platform's list of inputs"
_AGAIN = "make the kit again by `midog submission make`"


class Kit(BaseModel):
    """How a kit detects; None takes what the model holds, or the image states."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    format: Literal[1] = 1
    threshold: float | None = Field(default=None, ge=0, le=1)
    orientations: Literal[1, 2, 4, 8] = 1
    mpp: float | None = Field(default=None, ge=LOWEST_MPP, le=HIGHEST_MPP)


@dataclass(frozen=True)
class Places:
    """The folders of a job. models: of these the first that holds a kit's model is taken."""

    input: Path = contract.INPUT
    output: Path = contract.OUTPUT
    models: tuple[Path, ...] = (contract.MODEL, contract.APP / "model")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job of a container, whose folders need no arguments.

    Returns:
        The exit code: 0, or 1 for an error, which is one line on stderr.
    """
    default = Places()
    parser = argparse.ArgumentParser(description="Detect mitotic figures in one image.")
    parser.add_argument("--input", type=Path, default=default.input)
    parser.add_argument("--output", type=Path, default=default.output)
    parser.add_argument("--model", type=Path, action="append")
    parser.add_argument("--device", default="auto")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    models = tuple(given.model or (contract.MODEL, Path(sys.argv[0]).resolve().parent / "model"))
    try:
        run_job(Places(given.input, given.output, models), device=given.device)
    except MidogError as error:
        logging.getLogger(__name__).error("error: %s", error)
        return 1
    return 0


def run_job(places: Places, *, device: str = "auto") -> Path:
    """Detect in the image of a job and write its file, whole or not at all.

    Args:
        places: The folders.
        device: auto, cpu, cuda, ….

    Returns:
        The file that was written.

    Raises:
        MidogError: The inputs are others than this challenge's, the image or the model cannot be
            read, or what is written would be refused.
    """
    log = logging.getLogger(__name__).info
    began = time.perf_counter()
    image = find_image(places.input)
    folder = find_model(places.models)
    kit, detector = load_kit(folder, device=device)
    log("model %s, threshold %.3f (%s)", folder, detector.threshold, detector.threshold_from)
    with detector.open(image, mpp=kit.mpp) as opened:
        size, mpp = (opened.image.width, opened.image.height), opened.mpp
        log("image %s: %d x %d px of %s um", image.name, *size, mpp)
        detections = detector.detect(opened)
    path = places.output / contract.OUTPUT_NAME
    write_challenge(path, detections, mpp=mpp, threshold=detector.threshold)
    if refusals := refusals_of(read_json(path, DetectionsError)):
        what = f"{path} would be refused: {refusals[0]}"
        raise DetectionsError(what, "give a region of at most 10 mm with its true mpp")
    took = time.perf_counter() - began
    log("%d points in %.1f s: %s", len(detections.figures()), took, path)
    return path


def find_image(folder: Path) -> Path:
    """Find the image of a job.

    Raises:
        DetectionsError: inputs.json is missing, or of another interface.
        ImageError: There is no image, or there are several.
    """
    path = folder / contract.INPUTS_NAME
    slugs = sorted(_slug(one, path) for one in _as_list(read_json(path, DetectionsError), path))
    if slugs != [contract.SLUG]:
        what = f"{path} has the inputs {', '.join(slugs) or '(none)'}, not {contract.SLUG}"
        raise DetectionsError(what, "run this container in MIDOG 2025, track 1")
    place = folder / contract.IMAGES
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


def load_kit(folder: Path, *, device: str = "auto") -> tuple[Kit, Detector | VerifiedDetector]:
    """Load what a kit's model folder holds: a model or an ensemble, and maybe a verifier.

    Raises:
        WeightsError: Something in it is missing or damaged.
    """
    path = folder / KIT_NAME
    kit = checked(read_json(path, WeightsError, _AGAIN), Kit, str(path), WeightsError, _AGAIN)
    verified = (folder / VERIFIER).is_dir()
    detector = Detector.load(
        folder / DETECTOR,
        device=device,
        threshold=None if verified else kit.threshold,
        orientations=kit.orientations,
    )
    if not verified:
        return kit, detector
    verifier = load_verifier(folder / VERIFIER, device=device)
    return kit, VerifiedDetector(detector, verifier, threshold=kit.threshold)


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
