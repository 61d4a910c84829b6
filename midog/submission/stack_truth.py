"""The MIDOG 2025 challenge's own ground truth of track 2: its stacks, and their crops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from midog.errors import DetectionsError
from midog.formats.atypical import ATYPICAL, NORMAL
from midog.json_text import read_json

_FIX = 'write [{"image": "stack_1.tiff", "labels": ["normal", …], "tumordomains": [1, …]}, …]'


def crops_by_stack(path: Path) -> dict[str, int]:
    """Read how many crops each stack of a ground truth of track 2 has, by the name of its file.

    Raises:
        DetectionsError: The file is no such ground truth; names the stack and the label, from 1.
    """
    tree = read_json(path, DetectionsError, _FIX)
    if not isinstance(tree, list) or not tree:
        raise DetectionsError(f"{path} is no ground truth of track 2", _FIX)
    crops: dict[str, int] = {}
    for number, own in enumerate(tree, 1):
        image, count = _stack_of(own, f"{path} stack {number}")
        if image in crops:
            raise DetectionsError(f"{path} names {image} twice", "leave one out")
        crops[image] = count
    return crops


def _stack_of(value: Any, where: str) -> tuple[str, int]:
    own = value if isinstance(value, dict) else {}
    image, labels, domains = (own.get(key) for key in ("image", "labels", "tumordomains"))
    if not isinstance(image, str) or not image:
        raise DetectionsError(f"{where} has no 'image'", _FIX)
    where = f"{where} ({image})"
    if not isinstance(labels, list) or not labels:
        raise DetectionsError(f"{where} has no 'labels'", _FIX)
    if not isinstance(domains, list) or len(domains) != len(labels):
        raise DetectionsError(f"{where} has not as many 'tumordomains' as 'labels'", _FIX)
    for number, label in enumerate(labels, 1):
        if label not in (NORMAL, ATYPICAL):
            what = f"{where}: label {number} is {str(label)[:40]!r}"
            raise DetectionsError(what, f"write {NORMAL} or {ATYPICAL}")
    return image, len(labels)
