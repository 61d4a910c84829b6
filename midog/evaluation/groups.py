"""Groups of ROIs by the values of columns: scanner, tumour, …, nested where several are named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from midog.data.roi import Roi
from midog.errors import DetectionsError

ALL = "all"
UNKNOWN = "unknown"
SEPARATOR = " / "


@dataclass(frozen=True)
class Group:
    """ROIs that are scored together.

    Attributes:
        name: "all", or the values of the columns.
        keys: Values of the columns, by column.
        members: Places of the ROIs in the list.
    """

    name: str
    keys: Mapping[str, str]
    members: tuple[int, ...]


def parse_by(by: str | Sequence[str]) -> tuple[str, ...]:
    """Return the columns of "tumour,scanner" or of a sequence of names.

    Raises:
        DetectionsError: If there is none, or one comes twice.
    """
    names = tuple(part.strip() for part in (by.split(",") if isinstance(by, str) else by))
    if not all(names) or not names:
        raise DetectionsError(
            f"by {by!r} names no column", "write for example scanner, or tumour,scanner"
        )
    if len(set(names)) < len(names):
        raise DetectionsError(f"by {by!r} names a column twice", "name it once")
    return names


def keys_of(rois: Sequence[Roi], by: Sequence[str]) -> list[dict[str, str]]:
    """Return the value of each column for each ROI, "unknown" where it has none.

    Args:
        rois: The ROIs.
        by: Columns of the split (scanner, patient, split, file_name, mpp, …) or fields of the
            annotation. mpp is the um/px that either states, not that in the image.

    Raises:
        DetectionsError: If no ROI has a column. A further column of the split that is empty for all
            of these ROIs is such a one: reading a split keeps no empty cells of it.
    """
    columns = [_columns_of(roi) for roi in rois]
    names = dict.fromkeys(name for of_roi in columns for name in of_roi)
    for name in by:
        if rois and name not in names:
            raise DetectionsError(
                f"the ROIs have no column {name!r}", f"group by one of {', '.join(names)}"
            )
    return [{name: of_roi.get(name, "") or UNKNOWN for name in by} for of_roi in columns]


def make_groups(keys: Sequence[Mapping[str, str]], by: Sequence[str]) -> list[Group]:
    """Return all ROIs, then the groups in the order of the ROIs; under each value of a column those
    of the next one.

    Args:
        keys: Of each ROI, as `keys_of` gives them.
        by: The columns.

    Raises:
        DetectionsError: If two groups would have one name.
    """
    groups = [Group(ALL, {}, tuple(range(len(keys)))), *_below({}, range(len(keys)), keys, by)]
    name, times = Counter(group.name for group in groups).most_common(1)[0]
    if times > 1:
        raise DetectionsError(
            f"{times} groups would be named {name!r}", f"rename the value with {SEPARATOR!r} in it"
        )
    return groups


def _columns_of(roi: Roi) -> dict[str, str]:
    """Every column of an ROI; the split's, where the annotation has a field of the same name."""
    own = {
        "scanner": roi.scanner,
        "patient": roi.patient,
        "split": roi.split,
        "file_name": roi.file_name,
    }
    own["mpp"] = "" if roi.mpp is None else f"{roi.mpp:g}"
    return {**own, **roi.columns, **{name: value for name, value in own.items() if value}}


def _below(
    above: Mapping[str, str],
    members: Sequence[int],
    keys: Sequence[Mapping[str, str]],
    by: Sequence[str],
) -> list[Group]:
    if not by:
        return []
    groups = []
    for value in dict.fromkeys(keys[member][by[0]] for member in members):
        mine = {**above, by[0]: value}
        name = SEPARATOR.join(mine.values())
        if name == ALL:
            raise DetectionsError(
                f"column {by[0]} has the value {ALL!r}, which names all ROIs here", "rename it"
            )
        inside = tuple(member for member in members if keys[member][by[0]] == value)
        groups += [Group(name, mine, inside), *_below(mine, inside, keys, by[1:])]
    return groups
