"""What a check of a data folder found: counts per scanner and split, problems and warnings."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from midog.boxes import IMPOSTER, MITOTIC_FIGURE
from midog.data.in_use import ImageFacts
from midog.data.mpp import area_mm2
from midog.data.roi import Roi
from midog.data.roi_types import has_figures
from midog.data.split_file import ROLES
from midog.errors import MidogError
from midog.mpp import as_mpp


@dataclass(frozen=True)
class GroupCount:
    """ROIs of one scanner and roi_type in one part of the split.

    area_mm2: NaN where a size or mpp is unknown. roi_type: "" where it is not stated. figure_free:
    labelled ROIs without a mitotic figure.
    """

    scanner: str
    split: str
    rois: int
    figures: int
    imposters: int
    area_mm2: float
    roi_type: str = ""
    figure_free: int = 0

    @property
    def figures_per_mm2(self) -> float:
        """NaN where the area is unknown or the ROIs are unlabelled."""
        counts = self.area_mm2 > 0 and self.split != "unlabelled"
        return self.figures / self.area_mm2 if counts else math.nan


@dataclass(frozen=True)
class FolderReport:
    """What `check_folder` found.

    source: how the annotation file was read, one line; "" where it could not be.
    groups: by scanner, roi_type, then train, val, test, unlabelled.
    problems: what must be corrected before the data can be used.
    warnings: what may be meant so; one line each.
    notes: what was assumed to read the files, and what of them is not used; one line each.
    """

    source: str
    groups: tuple[GroupCount, ...]
    problems: tuple[MidogError, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def header(self) -> list[str]:
        """Names of the columns of `lines`."""
        further = ["roi_type", "split", "ROIs", "without figures"]
        return [
            "scanner",
            *(further if self._states_types() else ["split", "ROIs"]),
            *("figures", "imposters", "mm2", "figures per mm2"),
        ]

    def lines(self) -> list[list[str]]:
        """The groups as text, and their total where there are several; '-' for what is unknown."""
        total = GroupCount(
            scanner="all",
            split="",
            rois=sum(group.rois for group in self.groups),
            figures=sum(group.figures for group in self.groups),
            imposters=sum(group.imposters for group in self.groups),
            area_mm2=math.fsum(group.area_mm2 for group in self.groups),
            figure_free=sum(group.figure_free for group in self.groups),
        )
        further = self._states_types()
        shown = [*self.groups, total] if len(self.groups) > 1 else self.groups
        return [
            [
                group.scanner or "-",
                *([group.roi_type or "-"] if further else []),
                group.split or "-",
                str(group.rois),
                *([str(group.figure_free)] if further else []),
                str(group.figures),
                str(group.imposters),
                _number(group.area_mm2, 2),
                "-" if group is total else _number(group.figures_per_mm2, 1),
            ]
            for group in shown
        ]

    def _states_types(self) -> bool:
        """Whether a roi_type is stated of any ROI: then the table has two columns more."""
        return any(group.roi_type for group in self.groups)


def groups_of(rois: Sequence[Roi], facts: Mapping[str, ImageFacts]) -> tuple[GroupCount, ...]:
    """Count ROIs, figures and mm2 by scanner, roi_type and part of the split.

    Args:
        rois: the ROIs.
        facts: what images state, by file name.
    """
    members: dict[tuple[str, str, str], list[Roi]] = defaultdict(list)
    for roi in rois:
        members[roi.scanner, roi.columns.get("roi_type", ""), roi.split].append(roi)
    order = sorted(members, key=lambda key: (*key[:2], (*ROLES, "").index(key[2])))
    return tuple(
        GroupCount(
            scanner=key[0],
            roi_type=key[1],
            split=key[2],
            rois=len(members[key]),
            figures=sum(len(roi.boxes.of_class(MITOTIC_FIGURE)) for roi in members[key]),
            imposters=sum(len(roi.boxes.of_class(IMPOSTER)) for roi in members[key]),
            area_mm2=math.fsum(_area_mm2(roi, facts.get(roi.file_name)) for roi in members[key]),
            figure_free=0
            if key[2] == "unlabelled"
            else sum(not has_figures(roi) for roi in members[key]),
        )
        for key in order
    )


def _area_mm2(roi: Roi, facts: ImageFacts | None) -> float:
    stated = as_mpp(roi.mpp)
    if facts is None:
        return area_mm2(roi.width, roi.height, stated)
    return area_mm2(facts.width, facts.height, stated or facts.mpp.mpp)


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
