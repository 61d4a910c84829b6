"""What the challenge's scorer of track 2 refuses in one file of classes.

The scorer is `evaluate.py` of the organisers' evaluation container (see
`midog.submission.contract`). It ends at the first of these, and with it the whole submission. The
platform takes any JSON ('Anything').
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from midog.formats.atypical import ATYPICAL, NORMAL

_CLASSES = (NORMAL, ATYPICAL)


def class_refusals_of(document: Any, count: int | None = None) -> list[str]:
    """List all that is refused in the JSON of one file.

    A confidence outside [0, 1] is listed as well: the scorer takes it, but it is no probability.

    Args:
        document: What the file holds.
        count: Crops of its stack; None: not known.

    Returns:
        Clauses, such as "crop 3 has no `class`", crops counted from 1; empty where the file is
        accepted.
    """
    if not isinstance(document, list):
        return [f"the file holds {_short(document)}, not a list with an object per crop"]
    refusals = [
        f"crop {number} {words}"
        for number, entry in enumerate(document, 1)
        for words in _of_entry(entry)
    ]
    if count is not None and len(document) != count:
        refusals.insert(0, f"it classifies {len(document)} crops of a stack of {count}")
    return refusals


def are_of_stated_class(documents: Sequence[Any]) -> bool:
    """Whether files that are accepted look as if `confidence` were that of the class stated, which
    ranks the surest normal figures as the most atypical.

    It does where no normal figure has less than 0.5, and one at least has more.
    """
    normal = [
        entry["confidence"]
        for document in documents
        for entry in document
        if entry["class"] == NORMAL
    ]
    return bool(normal) and min(normal) >= 0.5 and max(normal) > 0.5


def _of_entry(entry: Any) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield f"is {_short(entry)}, not an object"
        return
    yield from (f"has no `{key}`" for key in ("class", "confidence") if key not in entry)
    if "class" in entry and entry["class"] not in _CLASSES:
        yield f"has the `class` {_short(entry['class'])}, neither '{NORMAL}' nor '{ATYPICAL}'"
    if "confidence" not in entry:
        return
    score = entry["confidence"]
    if isinstance(score, int) and not isinstance(score, bool):
        yield f"has the `confidence` {score}, a whole number: write {score}.0"
    elif not isinstance(score, float) or not math.isfinite(score) or not 0 <= score <= 1:
        yield f"has the `confidence` {_short(score)}, not a number from 0.0 to 1.0"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
