"""Annotation files that tests write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CATEGORIES = [{"id": 1, "name": "mitotic figure"}, {"id": 2, "name": "not mitotic figure"}]


def tree_of(
    *boxes: list[Any], width: int | None = 1000, height: int | None = 800
) -> dict[str, Any]:
    """Image 1 with these boxes, of class 1, and image 2 without any."""
    sizes = {} if width is None else {"width": width, "height": height}
    return {
        "images": [
            {"id": 1, "file_name": "001.tiff", **sizes},
            {"id": 2, "file_name": "002.tiff", **sizes},
        ],
        "categories": [dict(category) for category in CATEGORIES],
        "annotations": [
            {"id": n, "image_id": 1, "category_id": 1, "bbox": box}
            for n, box in enumerate(boxes, 10)
        ],
    }


def write(folder: Path, tree: Any, name: str = "a.json") -> Path:
    path = folder / name
    path.write_text(tree if isinstance(tree, str) else json.dumps(tree), encoding="utf-8")
    return path
