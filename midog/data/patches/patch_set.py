"""Labelled patches of train, val and test: what is known of them but their pixels."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from midog.boxes import IntArray
from midog.data.split_file import compact_names
from midog.errors import DataError

if TYPE_CHECKING:
    from midog.data.patches.places import InSlides

logger = logging.getLogger(__name__)

PATCH_ROLES = {"train": "train", "val": "valid", "test": "test"}
"""Roles of patches, and what the files and folders of PatchCamelyon call them."""

MOST_PATCHES, LARGEST_SIDE = 10_000_000, 1024
"""Bounds of what is read: PatchCamelyon has 262,144 patches of 96 px in train."""


@dataclass(frozen=True, eq=False)
class PatchSet:
    """N labelled patches of one role.

    role: train, val or test. side: of a patch, px; 0 where only its pixels tell. labels: (N,)
    int64, 0 or 1. slides: of each patch, the slide or case that it is from; none where that is not
    known. names: of each patch, as tables list it. files: one HDF5 of all pixels, one picture per
    patch, or the slides in which they lie. columns: further values of each patch, by name. masks:
    one HDF5 of masks; None: there are none. in_slides: where they lie in slides; None: they are
    patches already.
    """

    role: str
    side: int
    labels: IntArray
    slides: tuple[str, ...]
    names: Sequence[str]
    files: tuple[Path, ...]
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    masks: Path | None = None
    in_slides: InSlides | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def units(self) -> tuple[str, ...]:
        """What is drawn by the bootstrap: slides, or every patch by itself where none is known."""
        return self.slides or tuple(self.names)


@dataclass(frozen=True, eq=False)
class PatchData:
    """Labelled patches of several roles.

    where: of the data, for messages. classes: names of labels 0 and 1. sets: by role, those that
    exist.
    """

    where: str
    classes: tuple[str, str]
    sets: Mapping[str, PatchSet]

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change with roles, labels, slides, classes and the files' sizes.

        They do not change with where the files are, or with pixels that take as many bytes.
        """
        parts = [repr(self.classes)]
        for role, patches in sorted(self.sets.items()):
            files = [*patches.files, *([] if patches.masks is None else [patches.masks])]
            sizes = [file.stat().st_size for file in files]
            parts += [role, repr(patches.slides), repr(sizes), patches.labels.tobytes().hex()]
            if patches.in_slides is not None:
                where = patches.in_slides
                parts += [where.centres.tobytes().hex(), f"{patches.side} px of {where.mpp} um"]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def of(self, role: str) -> PatchSet:
        """Return the patches of a role.

        Raises:
            DataError: There are none.
        """
        if role not in self.sets:
            raise DataError(
                f"{self.where} has no patches of {PATCH_ROLES[role]}, only of"
                f" {', '.join(PATCH_ROLES[other] for other in self.sets)}",
                "give data with that part, or choose another",
            )
        return self.sets[role]


def settled(where: str, classes: tuple[str, str], sets: Sequence[PatchSet]) -> PatchData:
    """Return patches as data, once what holds for all of them is checked.

    Raises:
        DataError: Train or valid lacks a class, sizes differ, or a slide is in two parts.
    """
    for patches in sets:
        for label, name in enumerate(classes):
            if patches.role != "test" and not np.count_nonzero(patches.labels == label):
                raise DataError(
                    f"{where}: no patch of {PATCH_ROLES[patches.role]} is of class {name}",
                    "give patches of both classes to train and to choose a threshold on",
                )
        if not patches.slides:
            logger.warning(
                "%s: nothing says which slides the patches of %s are from: each counts as a slide"
                " of its own, and intervals are too narrow where slides share patches",
                where,
                PATCH_ROLES[patches.role],
            )
    sides = {patches.side for patches in sets if patches.side}
    if len(sides) > 1:
        raise DataError(
            f"{where} has patches of {' and '.join(f'{side} px' for side in sorted(sides))}",
            "give parts of one size",
        )
    _refuse_leaks(where, sets)
    return PatchData(where, classes, {patches.role: patches for patches in sets})


def _refuse_leaks(where: str, sets: Sequence[PatchSet]) -> None:
    """A slide must not be in two parts."""
    for number, first in enumerate(sets):
        for second in sets[number + 1 :]:
            shared = sorted(set(first.slides) & set(second.slides))
            if shared:
                raise DataError(
                    f"{where}: {len(shared)} slides are in {PATCH_ROLES[first.role]} and in"
                    f" {PATCH_ROLES[second.role]} ({compact_names(shared, 3)})",
                    "keep all patches of a slide in one part",
                )
