"""Facts of an image that annotation and split files state: patient, scanner, mpp, size."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from midog.data.csv_text import number_in
from midog.data.roi import Roi
from midog.data.roi_types import parse_figure_free, parse_roi_type
from midog.data.text_file import Problems
from midog.errors import DataError
from midog.mpp import Mpp, in_range, out_of_range

FURTHER = ("tumour", "roi_type", "figure_free", "labelled")
"""Keys of COLUMNS that are kept as columns of an ROI."""
FACTS = ("patient", "scanner", "mpp", "width", "height", *FURTHER)
"""Keys of COLUMNS that are true of a whole image."""

_HAMAMATSU = r"(?:ham+am+atsu )?(?:nano ?zoomer )?"
_APERIO = r"(?:leica )?(?:aperio )?(?:scan ?scope )?"
_SCANNERS = {
    "Hamamatsu XR": _HAMAMATSU + r"xr",
    "Hamamatsu S360": _HAMAMATSU + r"s ?360",
    "Aperio CS2": _APERIO + r"cs ?2",
    "Aperio XT": r"aperio (?:scan ?scope )?xt",
    "Leica GT450": _APERIO + r"gt ?450",
    "3D Histech": r"3d ?histech(?: pannoramic scan ii)?",
}


@lru_cache(10_000)
def normalise_scanner(name: str) -> str:
    """One name per scanner: 'Hamammatsu XR' is Hamamatsu XR; an unknown one is kept, in single
    spaces."""
    words = " ".join(name.replace("-", " ").replace("_", " ").split()).lower()
    matching = (scanner for scanner, pattern in _SCANNERS.items() if re.fullmatch(pattern, words))
    return next(matching, " ".join(name.split()))


def parse_mpp(where: str, text: str, problems: Problems) -> float | None:
    """The mpp that a file states, um/px; None for an empty cell.

    Args:
        where: the record, for messages.
        text: as written.
        problems: one that is no number or out of range is appended; then None is returned.
    """
    if not text:
        return None
    mpp = number_in(text)
    if mpp is None:
        fix = "write um per pixel, such as 0.25" + (", with a point" if "," in text else "")
        problems.append(DataError(f"{where}: mpp is {text!r}", fix))
        return None
    if not in_range(mpp):
        what = f"{where}: mpp {out_of_range(Mpp.of(mpp))}"
        problems.append(DataError(what, "write um per pixel, such as 0.25"))
        return None
    return mpp


def with_facts(roi: Roi, facts: Mapping[str, str], where: str, problems: Problems) -> Roi:
    """An ROI with what a file states of it.

    Args:
        roi: an ROI.
        facts: by name in FACTS, as written; "" where not stated.
        where: the record, for messages.
        problems: what is wrong is appended.
    """
    width, height = (_side(where, key, facts.get(key, ""), problems) for key in ("width", "height"))
    if width is None or height is None:
        width = height = None
    return replace(
        roi,
        width=width,
        height=height,
        mpp=parse_mpp(where, facts.get("mpp", ""), problems),
        scanner=normalise_scanner(facts.get("scanner", "")),
        patient=facts.get("patient", ""),
        columns={**roi.columns, **further_facts(facts, where, problems)},
    )


def further_facts(facts: Mapping[str, str], where: str, problems: Problems) -> dict[str, str]:
    """What a file states of an ROI under the names in FURTHER, in one spelling; what is empty is
    left out.

    Args:
        facts: by name, as written.
        where: the record, for messages.
        problems: what is wrong is appended.
    """
    further = {key: facts[key] for key in FURTHER if facts.get(key)}
    for key, parse in (("roi_type", parse_roi_type), ("figure_free", parse_figure_free)):
        if key in further:
            further[key] = parse(where, further[key], problems)
    return {key: value for key, value in further.items() if value}


def _side(where: str, key: str, text: str, problems: Problems) -> int | None:
    if not text:
        return None
    side = number_in(text)
    if side is None or not 1 <= side < 1e9 or side != int(side):
        problems.append(DataError(f"{where}: {key} is {text}", "write a whole positive number"))
        return None
    return int(side)
