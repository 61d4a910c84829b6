"""A job of track 2: a stack of crops in, the class of the figure in each out."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from midog.data.mpp import mpp_of_image
from midog.errors import DetectionsError
from midog.files import replace_text
from midog.formats.atypical import ATYPICAL, NORMAL
from midog.images.stack import open_stack
from midog.inference.atypical import AtypicalClassifier
from midog.json_text import read_json, to_json
from midog.submission.class_refusals import class_refusals_of
from midog.submission.container import CLASSIFIER, Kit

logger = logging.getLogger(__name__)


def load_classifier(folder: Path, kit: Kit, *, device: str = "auto") -> AtypicalClassifier:
    """Load what a kit's model folder holds.

    Raises:
        WeightsError: It is missing or damaged, or does not tell atypical figures.
    """
    return AtypicalClassifier.load(folder / CLASSIFIER, device=device, threshold=kit.threshold)


def classify_figures(image: Path, folder: Path, kit: Kit, path: Path, *, device: str) -> str:
    """Classify the figure in the middle of each crop of a stack and write the file of the classes.

    `confidence` is the probability of atypical, whatever the class, as the challenge demands.

    Args:
        image: The stack.
        folder: Of the kit's model.
        kit: Its settings.
        path: The file to write.
        device: auto, cpu, cuda, ….

    Returns:
        What was written, in words.

    Raises:
        MidogError: The stack or the model cannot be read, or what is written would be refused.
    """
    classifier = load_classifier(folder, kit, device=device)
    threshold = f"{classifier.threshold:.3f} ({classifier.threshold_from})"
    logger.info("model %s, threshold %s", folder, threshold)
    crops = open_stack(image)
    mpp = [mpp_of_image(crop, kit.mpp) for crop in crops]
    first = crops[0]
    logger.info(
        "stack %s: %d crops, the first of %d x %d px of %s um",
        image.name,
        len(crops),
        first.width,
        first.height,
        mpp[0],
    )
    scores = classifier.of_crops(crops, mpp)
    are_atypical = scores >= classifier.threshold
    rows = [
        {"class": ATYPICAL if is_atypical else NORMAL, "confidence": float(score)}
        for score, is_atypical in zip(scores, are_atypical, strict=True)
    ]
    replace_text(path, to_json(rows), DetectionsError, parents=True)
    if refusals := class_refusals_of(read_json(path, DetectionsError), len(crops)):
        raise DetectionsError(f"{path} would be refused: {refusals[0]}", "give a stack of crops")
    return f"{np.count_nonzero(are_atypical)} of {len(rows)} figures are atypical"
