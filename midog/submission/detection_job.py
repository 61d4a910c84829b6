"""A job of track 1: one image in, its mitotic figures out."""

from __future__ import annotations

import logging
from pathlib import Path

from midog.errors import DetectionsError
from midog.formats.challenge import write_challenge
from midog.inference.detector import Detector
from midog.inference.verified import VerifiedDetector
from midog.inference.verifier import load_verifier
from midog.json_text import read_json
from midog.submission.container import DETECTOR, VERIFIER, Kit
from midog.submission.refusals import refusals_of

logger = logging.getLogger(__name__)


def load_detector(folder: Path, kit: Kit, *, device: str = "auto") -> Detector | VerifiedDetector:
    """Load what a kit's model folder holds: a model or an ensemble, and maybe a verifier.

    Raises:
        WeightsError: Something in it is missing or damaged.
    """
    verified = (folder / VERIFIER).is_dir()
    detector = Detector.load(
        folder / DETECTOR,
        device=device,
        threshold=None if verified else kit.threshold,
        orientations=kit.orientations,
    )
    if not verified:
        return detector
    verifier = load_verifier(folder / VERIFIER, device=device)
    return VerifiedDetector(detector, verifier, threshold=kit.threshold)


def detect_figures(image: Path, folder: Path, kit: Kit, path: Path, *, device: str) -> str:
    """Detect in an image and write the file of its figures, whole or not at all.

    Args:
        image: The file.
        folder: Of the kit's model.
        kit: Its settings.
        path: The file to write.
        device: auto, cpu, cuda, ….

    Returns:
        What was written, in words.

    Raises:
        MidogError: The image or the model cannot be read, or what is written would be refused.
    """
    detector = load_detector(folder, kit, device=device)
    threshold = f"{detector.threshold:.3f} ({detector.threshold_from})"
    logger.info("model %s, threshold %s", folder, threshold)
    with detector.open(image, mpp=kit.mpp) as opened:
        size, mpp = (opened.image.width, opened.image.height), opened.mpp
        logger.info("image %s: %d x %d px of %s um", image.name, *size, mpp)
        detections = detector.detect(opened)
    write_challenge(path, detections, mpp=mpp, threshold=detector.threshold)
    if refusals := refusals_of(read_json(path, DetectionsError)):
        what = f"{path} would be refused: {refusals[0]}"
        raise DetectionsError(what, "give a region of at most 10 mm with its true mpp")
    return f"{len(detections.figures())} points"
