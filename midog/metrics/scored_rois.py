"""Scored ROIs of one detector as arrays: their counts at any threshold, kept in a file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from midog.boxes import IntArray
from midog.errors import DetectionsError
from midog.files import read_bytes, replace_bytes
from midog.metrics.counts import Counts
from midog.metrics.matched_rois import MatchedRois
from midog.metrics.points import Values
from midog.metrics.pooled_matches import PooledMatches


@dataclass(frozen=True, eq=False)
class ScoredArrays:
    """R ROIs, the detections in them, and which of these match a figure.

    Attributes:
        names: (R,) of the ROIs.
        scanners: (R,).
        patients: (R,).
        areas_mm2: (R,) float64, NaN where it is not known.
        matches: Of all detections.
        threshold: The detector's own.
        ms_per_megapixel: What detection took, per 10^6 level-0 px; NaN where it was not measured.
    """

    names: tuple[str, ...]
    scanners: tuple[str, ...]
    patients: tuple[str, ...]
    areas_mm2: Values
    matches: PooledMatches
    threshold: float
    ms_per_megapixel: float

    def select(self, rois: Sequence[int] | IntArray) -> ScoredArrays:
        """Those of some ROIs, in the order given."""
        numbers = np.asarray(rois, np.int64)
        chosen = numbers.tolist()
        return ScoredArrays(
            tuple(self.names[number] for number in chosen),
            tuple(self.scanners[number] for number in chosen),
            tuple(self.patients[number] for number in chosen),
            self.areas_mm2[numbers],
            self.matches.select(numbers),
            self.threshold,
            self.ms_per_megapixel,
        )

    def at(self, threshold: float) -> MatchedRois:
        """The ROIs with their counts at a threshold.

        As a detection that matches at one threshold does at every lower one too (see
        `matched_by_radius`), these are the counts of `counts_at`, to the last.
        """
        counted = self.matches.scores >= threshold
        rois = len(self.names)
        hits = counted & self.matches.by_radius
        tp = np.bincount(self.matches.owner[hits], minlength=rois)
        fp = np.bincount(self.matches.owner[counted], minlength=rois) - tp
        fn = self.matches.figures - tp
        counts = [Counts(*row) for row in zip(tp.tolist(), fp.tolist(), fn.tolist(), strict=True)]
        return MatchedRois(counts, self.areas_mm2, self.matches)


def joined(parts: Sequence[ScoredArrays]) -> ScoredArrays:
    """Join the ROIs of several, of one detector or of several whose scores may be pooled.

    Args:
        parts: At least one; threshold and speed are those of the first.
    """
    sizes = [len(part.names) for part in parts]
    begins = np.cumsum([0, *sizes[:-1]])
    matches = PooledMatches(
        np.concatenate([part.matches.scores for part in parts]),
        np.concatenate(
            [part.matches.owner + begin for part, begin in zip(parts, begins, strict=True)]
        ),
        np.concatenate([part.matches.figures for part in parts]),
        np.concatenate([part.matches.by_radius for part in parts]),
        np.concatenate([part.matches.by_overlap for part in parts]),
    )
    return ScoredArrays(
        tuple(name for part in parts for name in part.names),
        tuple(name for part in parts for name in part.scanners),
        tuple(name for part in parts for name in part.patients),
        np.concatenate([part.areas_mm2 for part in parts]),
        matches,
        parts[0].threshold,
        parts[0].ms_per_megapixel,
    )


def write_arrays(path: Path, scored: ScoredArrays) -> None:
    """Write a file that `read_arrays` reads back to equal arrays, whole or not at all.

    Raises:
        DetectionsError: It cannot be written.
    """
    content = io.BytesIO()
    np.savez_compressed(
        content,
        names=np.array(scored.names, np.str_),
        scanners=np.array(scored.scanners, np.str_),
        patients=np.array(scored.patients, np.str_),
        areas_mm2=scored.areas_mm2,
        scores=scored.matches.scores,
        owner=scored.matches.owner,
        figures=scored.matches.figures,
        by_radius=scored.matches.by_radius,
        by_overlap=scored.matches.by_overlap,
        numbers=np.array([scored.threshold, scored.ms_per_megapixel]),
    )
    replace_bytes(path, content.getvalue(), DetectionsError)


def read_arrays(path: Path) -> ScoredArrays:
    """Read what `write_arrays` wrote.

    Raises:
        DetectionsError: The file is missing or damaged.
    """
    content = read_bytes(path, DetectionsError)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        matches = PooledMatches(
            arrays["scores"],
            arrays["owner"],
            arrays["figures"],
            arrays["by_radius"],
            arrays["by_overlap"],
        )
        threshold, speed = arrays["numbers"].tolist()
        names, scanners, patients = (
            tuple(arrays[name].tolist()) for name in ("names", "scanners", "patients")
        )
        scored = ScoredArrays(
            names, scanners, patients, arrays["areas_mm2"], matches, threshold, speed
        )
        lengths = {len(names), len(scanners), len(patients), len(scored.areas_mm2)}
        points = {len(matches.scores), len(matches.owner), len(matches.by_radius)}
        if len(lengths | {len(matches.figures)}) > 1 or len(points | {len(matches.by_overlap)}) > 1:
            raise ValueError("its arrays differ in length")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        fix = "delete it: the next run of the study scores anew"
        raise DetectionsError(f"{path} is damaged: {error}", fix) from None
    return scored
