"""Detections as a COCO file of one image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from midog.boxes import Detections
from midog.errors import DetectionsError
from midog.files import replace_text
from midog.formats.atypical import AtypicalScores
from midog.formats.shared import CLASS_NAMES, shortest
from midog.json_text import to_json


def write_coco(
    path: Path,
    detections: Detections,
    *,
    file_name: str,
    width: int,
    height: int,
    atypical: AtypicalScores | None = None,
) -> None:
    """Write both classes as COCO, bbox as x y width height, with a `score` per annotation.

    `pycocotools.coco.COCO` reads the file, and its `annotations` are what `loadRes` takes (image_id
    1; category 1 mitotic figure, 2 non-mitotic figure).

    Args:
        path: The file to replace; missing folders on the way are made.
        detections: Boxes in level-0 px.
        file_name: Of the image.
        width: Of the image, level-0 px.
        height: Of the image, level-0 px.
        atypical: What is known of the figures, written as `kind` (atypical or normal) and
            `atypical_probability` of those that were looked at; None: they are not told apart.

    Raises:
        DetectionsError: If the file cannot be written.
    """
    annotations: list[dict[str, Any]] = []
    columns = (
        detections.boxes.astype(np.float64).tolist(),
        detections.labels.tolist(),
        detections.scores,
    )
    for number, ((x1, y1, x2, y2), label, score) in enumerate(zip(*columns, strict=True), 1):
        width_px, height_px = x2 - x1, y2 - y1
        annotations.append(
            {
                "id": number,
                "image_id": 1,
                "category_id": label,
                "bbox": [x1, y1, width_px, height_px],
                "area": width_px * height_px,
                "iscrowd": 0,
                "score": shortest(score),
            }
        )
    if atypical is not None:
        for annotation, kind, score in zip(
            annotations, atypical.kinds, atypical.written, strict=True
        ):
            annotation |= {"kind": kind, "atypical_probability": score} if kind else {}
    document = {
        "images": [{"id": 1, "file_name": file_name, "width": width, "height": height}],
        "categories": [{"id": label, "name": name} for label, name in CLASS_NAMES.items()],
        "annotations": annotations,
    }
    replace_text(path, to_json(document), DetectionsError, parents=True)
