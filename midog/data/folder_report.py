"""What a check of a data folder found: counts per scanner and split, problems and warnings."""

from __future__ import annotations

import math
from dataclasses import dataclass

from midog.errors import MidogError


@dataclass(frozen=True)
class GroupCount:
    """ROIs of one scanner in one part of the split.

    area_mm2: NaN where a size or mpp is unknown.
    """

    scanner: str
    split: str
    rois: int
    figures: int
    imposters: int
    area_mm2: float

    @property
    def figures_per_mm2(self) -> float:
        """NaN where the area is unknown or the ROIs are unlabelled."""
        counts = self.area_mm2 > 0 and self.split != "unlabelled"
        return self.figures / self.area_mm2 if counts else math.nan


@dataclass(frozen=True)
class FolderReport:
    """What `check_folder` found.

    source: how the annotation file was read, one line; "" where it could not be.
    groups: by scanner, then train, val, test, unlabelled.
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
        return ["scanner", "split", "ROIs", "figures", "imposters", "mm2", "figures per mm2"]

    def lines(self) -> list[list[str]]:
        """The groups as text, and their total where there are several; '-' for what is unknown."""
        total = GroupCount(
            scanner="all",
            split="",
            rois=sum(group.rois for group in self.groups),
            figures=sum(group.figures for group in self.groups),
            imposters=sum(group.imposters for group in self.groups),
            area_mm2=math.fsum(group.area_mm2 for group in self.groups),
        )
        shown = [*self.groups, total] if len(self.groups) > 1 else self.groups
        return [
            [
                group.scanner or "-",
                group.split or "-",
                str(group.rois),
                str(group.figures),
                str(group.imposters),
                _number(group.area_mm2, 2),
                "-" if group is total else _number(group.figures_per_mm2, 1),
            ]
            for group in shown
        ]


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
