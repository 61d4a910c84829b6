"""What is stated of the tissue of an ROI: how it was chosen (roi_type), and whether it is declared
free of figures."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence

from midog.data.columns import squeeze
from midog.data.roi import Roi
from midog.data.text_file import Problems
from midog.errors import DataError

ROI_TYPES = ("hotspot", "random", "challenging")
"""As the MIDOG 2025 challenge has them: where figures are dense, anywhere, and where look-alikes or
other tissue make false alarms likely."""

_SPELLINGS = r"(?P<kind>hotspot|random|challenging)(?:ly)?(?:selected|chosen|sampled)?"
_SPELLINGS += r"(?:roi|region|area|field|patch|tile)?(?:e?s)?"
_NEAR = 0.8
"""Similarity (difflib) from which a word is taken for a slip of one of ROI_TYPES."""
_ANSWERS = {
    **dict.fromkeys(("yes", "y", "true", "1"), "yes"),
    **dict.fromkeys(("no", "n", "false", "0"), "no"),
}


def parse_roi_type(where: str, text: str, problems: Problems) -> str:
    """One spelling of each of ROI_TYPES: 'Hot-Spot ROI' is hotspot; another word is kept, in lower
    case and single spaces.

    Args:
        where: the record, for messages.
        text: as written; "" where none is stated.
        problems: a word that seems a slip of one of ROI_TYPES is appended; it would be a kind of
            its own.
    """
    word = squeeze(text)
    if spelling := re.fullmatch(_SPELLINGS, word):
        return spelling["kind"]
    near = difflib.get_close_matches(word, ROI_TYPES, n=1, cutoff=_NEAR)
    if near and word[0] == near[0][0]:  # non-hotspot is none
        what = f"{where}: unknown roi_type {text!r} (did you mean {near[0]}?)"
        fix = f"write {', '.join(ROI_TYPES)}, or a word that is unlike these"
        problems.append(DataError(what, fix))
    return " ".join(text.split()).lower()


def parse_figure_free(where: str, text: str, problems: Problems) -> str:
    """'yes' or 'no', as the column figure_free states it; "" where it states nothing.

    Args:
        where: the record, for messages.
        text: as written.
        problems: what is neither is appended.
    """
    answer = _ANSWERS.get(text.strip().lower(), "")
    if text.strip() and not answer:
        what = f"{where}: figure_free is {text!r}"
        problems.append(DataError(what, "write yes or no, or leave it empty"))
    return answer


def is_declared_free(roi: Roi) -> bool:
    """Whether it is stated that an ROI holds no mitotic figure: it needs no box, and no entry in
    the annotation file. Its roi_type states no such thing: random tissue may hold figures."""
    return roi.columns.get("figure_free") == "yes"


def has_figures(roi: Roi) -> bool:
    """Whether a mitotic figure is annotated in it."""
    return roi.boxes.has_figures


def other_types(rois: Sequence[Roi]) -> list[str]:
    """One line on the words that are used as roi_type and are none of ROI_TYPES; none without."""
    words = Counter(roi.columns.get("roi_type", "") for roi in rois)
    others = [f"{word} ({count})" for word, count in words.items() if word not in ("", *ROI_TYPES)]
    if not others:
        return []
    line = f"roi_type is none of {', '.join(ROI_TYPES)}, and used as it is: {', '.join(others)}"
    return [line[:600]]
