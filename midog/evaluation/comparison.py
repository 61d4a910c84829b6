"""Does model A beat model B? The differences of their scores on the same ROIs, by a paired bootstrap over patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from midog import __version__
from midog.data.annotations import Roi
from midog.errors import DetectionsError
from midog.evaluation.groups import keys_of, make_groups, parse_by
from midog.evaluation.points import ScoredRoi, score_rois
from midog.evaluation.result import MEASURES, SCHEMA_VERSION, GroupScores, plain
from midog.evaluation.scoring import LEVEL, RESAMPLES, patient_of, summarise
from midog.metrics.bootstrap import Difference, Samples, difference, draw_weights, resample


@dataclass(frozen=True, eq=False)
class Comparison:
    """Scores of A and of B by group, and A - B of each of MEASURES with its interval and two-sided p.

    p is of one difference; where many are looked at, some are small by chance. level, resamples, seed: of the
    bootstrap.
    """

    a: Mapping[str, GroupScores]
    b: Mapping[str, GroupScores]
    differences: Mapping[str, Mapping[str, Difference]]
    level: float
    resamples: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, NaN as None: `{"groups": {"all": {"f1": {"a": …, "b": …, "difference": …, …}, …}, …}}`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "midog": __version__,
            "bootstrap": {"unit": "patient", "level": self.level, "resamples": self.resamples, "seed": self.seed},
            "groups": {
                name: {
                    measure: {
                        "a": plain(self.a[name].value(measure)),
                        "b": plain(self.b[name].value(measure)),
                        "difference": plain(each.value),
                        "interval": [plain(each.low), plain(each.high)],
                        "p": plain(each.p),
                    }
                    for measure, each in theirs.items()
                }
                for name, theirs in self.differences.items()
            },
        }


def compare(
    detections_a: Path | str,
    detections_b: Path | str,
    rois: Sequence[Roi],
    *,
    by: str | Sequence[str] = "scanner",
    threshold: float | None = None,
    mpp: float | None = None,
    allow_missing: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare two folders of detections of the same ROIs; arguments and errors as of `evaluate`.

    Each resample draws the same patients for both, so that what makes a patient hard for both cancels out.
    """
    if resamples < 1:
        raise DetectionsError(
            f"{resamples} resamples", "a comparison needs at least one, and 1,000 to be worth reading"
        )
    columns = parse_by(by)
    keys = keys_of(rois, columns)
    both = [
        score_rois(folder, rois, threshold=threshold, mpp=mpp, allow_missing=allow_missing)
        for folder in (detections_a, detections_b)
    ]
    a, b = (summarise(each, keys, columns, threshold=threshold, resamples=0).groups for each in both)
    differences = {}
    for group in make_groups(keys, columns):
        weights = draw_weights([patient_of(rois[i]) for i in group.members], resamples, seed)
        drawn_a, drawn_b = (_resample([each[i] for i in group.members], weights) for each in both)
        differences[group.name] = {
            measure: difference(
                a[group.name].value(measure),
                b[group.name].value(measure),
                getattr(drawn_a, measure),
                getattr(drawn_b, measure),
                LEVEL,
            )
            for measure in MEASURES
        }
    return Comparison(a, b, differences, LEVEL, resamples, seed)


def _resample(scored: Sequence[ScoredRoi], weights: Any) -> Samples:
    return resample([each.counts for each in scored], [each.points for each in scored], weights)
