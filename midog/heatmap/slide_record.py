"""STEM.heatmap.json: what a heat map is of, how it was made, and that its files are whole."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from midog._version import __version__
from midog.errors import DetectionsError
from midog.files import replace_text
from midog.heatmap.heat_map import HeatMap
from midog.inference.image_identity import digest_of_file, identity_of, state_of
from midog.json_text import checked, read_json, to_json

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 1
"""Raised when a key of the JSON changes its meaning or goes; new keys alone do not raise it."""


@dataclass(frozen=True)
class SlideRecord:
    """What STEM.heatmap.json holds.

    Attributes:
        schema_version: See SCHEMA_VERSION.
        midog: Version that wrote it.
        file_name: Of the slide, as in outputs.
        class_name: What the map shows the probability of.
        model: Folder of the classifier, as it was named.
        width, height: Of the slide, level-0 px.
        mpp: um/px of level 0, along x and y.
        map_mpp: um per px of the map, along x and y.
        looked_at_mm2: Area that has a value.
        threshold: In [0, 1], the least value that counts as the class.
        threshold_from: How it was chosen.
        area_mm2: Area of at least the threshold.
        slide_score: Highest value of the map.
        highest: Where that is, x y in level-0 px.
        made_from: What decided the values: weights, settings, tissue.
        image: Identity of the slide's content.
        state: Of its file, by which an untouched one is recognised without being read.
        files: Digest of each file beside this one, by its ending.
        truth: Where the truth is from, and the counts and rates of px; None without truth.
    """

    schema_version: int
    midog: str
    file_name: str
    class_name: str
    model: str
    width: int
    height: int
    mpp: tuple[float, float]
    map_mpp: tuple[float, float]
    looked_at_mm2: float
    threshold: float
    threshold_from: str
    area_mm2: float
    slide_score: float
    highest: tuple[float, float]
    made_from: dict[str, Any]
    image: str
    state: str
    files: dict[str, str]
    truth: dict[str, Any] | None = None


def record_of(
    heat_map: HeatMap,
    *,
    file_name: str,
    model: Path,
    made_from: Mapping[str, Any],
    image: Path,
    state: str,
    files: Mapping[str, Path],
    truth: Mapping[str, Any] | None,
) -> SlideRecord:
    """Describe a map whose files are written.

    Args:
        heat_map: The map.
        file_name: Of the slide, as in outputs.
        model: Folder of the classifier.
        made_from: What decided the values.
        image: The slide's file.
        state: What `state_of` gave before it was read.
        files: By ending.
        truth: As of the attribute.

    Raises:
        DetectionsError: The slide was changed meanwhile.
    """
    identity = identity_of(image)
    if state_of(image) != state:
        raise DetectionsError(f"{image} was changed while it was read", "start again")
    over = heat_map.over()
    return SlideRecord(
        SCHEMA_VERSION,
        __version__,
        file_name,
        heat_map.name,
        str(model),
        *heat_map.size,
        (heat_map.mpp.x, heat_map.mpp.y),
        (heat_map.map_mpp.x, heat_map.map_mpp.y),
        heat_map.area_mm2(heat_map.looked_at),
        heat_map.threshold,
        heat_map.threshold_from,
        heat_map.area_mm2(over),
        heat_map.slide_score,
        heat_map.highest,
        dict(made_from),
        identity,
        state,
        {ending: digest_of_file(path) for ending, path in files.items()},
        None if truth is None else dict(truth),
    )


def write_record(path: Path, record: SlideRecord) -> None:
    """Write a record, whole or not at all.

    Raises:
        DetectionsError: It cannot be written.
    """
    replace_text(path, to_json(asdict(record)), DetectionsError, parents=True)


def read_record(path: Path) -> SlideRecord | None:
    """Return the record of a map; None if there is none, or, with a line, if it is damaged."""
    if not path.is_file():
        return None
    try:
        return checked(read_json(path, DetectionsError), SlideRecord, str(path), DetectionsError)
    except DetectionsError as error:
        logger.warning("%s: the map is made again", error.what)
        return None


def is_of_image(record: SlideRecord, image: Path) -> bool:
    """Whether a record is of an image, or its image is gone."""
    if not image.exists():
        return True
    return record.state == state_of(image) or record.image == identity_of(image)


def whole_files(record: SlideRecord, stem: Path, endings: Sequence[str]) -> bool:
    """Whether files beside a record are as they were written; a line names one that is not.

    Args:
        record: Of the map.
        stem: Path of the record without its ending.
        endings: Of the files.
    """
    for ending in endings:
        path = stem.with_name(stem.name + ending)
        if ending not in record.files or not path.is_file():
            return False
        if digest_of_file(path) != record.files[ending]:
            logger.warning("%s is damaged or was changed: it is made again", path)
            return False
    return True
