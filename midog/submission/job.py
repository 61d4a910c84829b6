"""What runs in the container: a job of the track that its kit is for."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from midog.errors import MidogError
from midog.submission import contract
from midog.submission.classification_job import classify_figures
from midog.submission.container import Places, find_image, find_model, read_kit
from midog.submission.contract import CLASSIFICATION, TRACKS
from midog.submission.detection_job import detect_figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job of a container, whose folders need no arguments.

    Returns:
        The exit code: 0, or 1 for an error, which is one line on stderr.
    """
    default = Places()
    parser = argparse.ArgumentParser(description="Do what the model's kit is for in one image.")
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
    """Do a job and write its file, whole or not at all.

    Args:
        places: The folders.
        device: auto, cpu, cuda, ….

    Returns:
        The file that was written.

    Raises:
        MidogError: The inputs are others than the track's, the image or the model cannot be read,
            or what is written would be refused.
    """
    began = time.perf_counter()
    folder = find_model(places.models)
    kit = read_kit(folder)
    track = TRACKS[kit.track]
    image = find_image(places.input, track)
    path = places.output / track.output_name
    do = classify_figures if track is CLASSIFICATION else detect_figures
    words = do(image, folder, kit, path, device=device)
    took = time.perf_counter() - began
    logging.getLogger(__name__).info("%s in %.1f s: %s", words, took, path)
    return path
