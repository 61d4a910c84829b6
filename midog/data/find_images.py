"""The images of a data folder, found by the names that annotation files give them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePath

from midog.data.roi import Roi
from midog.data.text_file import file_name_in


def with_images(rois: Sequence[Roi], folder: Path) -> list[Roi]:
    """The ROIs with the paths of their images.

    Args:
        rois: ROIs without paths.
        folder: images are looked for in its images/, then in itself, by full, then by bare name;
            letters with accents are found however they are encoded.
    """
    names_in = cache(_names_in)

    def image_of(name: str) -> Path | None:
        places = (
            (place, variant)
            for variant in (name, PurePath(name).name)
            for place in (folder / "images", folder)
        )
        for place, variant in places:
            if os.path.isfile(place / variant):  # False, not an error, for any name
                return place / variant
            parent = place / PurePath(variant).parent
            other = names_in(parent).get(PurePath(variant).name) if not variant.isascii() else None
            if other is not None and os.path.isfile(parent / other):
                return parent / other
        return None

    return [replace(roi, path=image_of(roi.file_name)) for roi in rois]


def _names_in(folder: Path) -> dict[str, str]:
    """The names in a folder as annotation files name them, and as the folder does."""
    try:
        return {file_name_in(name): name for name in sorted(os.listdir(folder))}
    except OSError:
        return {}
