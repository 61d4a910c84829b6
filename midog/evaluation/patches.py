"""The evaluation of a classifier on labelled patches, with intervals over slides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from midog.data.patches.patch_set import PatchSet
from midog.errors import DataError
from midog.evaluation.groups import Group, make_groups, parse_by
from midog.evaluation.patch_measures import PATCH_MEASURES, Scored, scored
from midog.evaluation.patch_result import PatchEvaluation, PatchGroup, PatchScore
from midog.evaluation.scoring import LEVEL, RESAMPLES
from midog.metrics.bootstrap import Interval, interval, weights_in_parts
from midog.metrics.calibration import reliability
from midog.metrics.points import Values
from midog.metrics.two_classes import roc_curve


def evaluate_patches(
    patches: PatchSet,
    scores: Values,
    *,
    threshold: float,
    classes: tuple[str, str],
    by: str | Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
    about: Mapping[str, str] | None = None,
    side: int = 0,
) -> PatchEvaluation:
    """Score probabilities of patches, in all and by group.

    Args:
        patches: N of them, with their labels and slides.
        scores: (N,) float64 in [0, 1], the probability of the second class.
        threshold: In [0, 1], the least probability at which a patch is taken for one of it.
        classes: Names of labels 0 and 1.
        by: Columns of the patches; "scanner,lab" nests. Empty: "all" alone.
        resamples: Of the 95 % bootstrap intervals, drawn over slides; 0: none.
        seed: Of the draws.
        about: `model`, `data` and `threshold_from` of the result.
        side: Of the patches, px.

    Raises:
        DataError: The patches have no such column.
    """
    columns = parse_by(by) if by else ()
    told = {"model": "", "data": "", "threshold_from": "given", **(about or {})}
    positive = patches.labels == 1
    return PatchEvaluation(
        model=told["model"],
        data=told["data"],
        subset=patches.role,
        classes=classes,
        threshold=threshold,
        threshold_from=told["threshold_from"],
        by=columns,
        unit="slide" if patches.slides else "patch",
        level=LEVEL,
        resamples=resamples,
        seed=seed,
        side=side or patches.side,
        groups={
            group.name: _score_group(group, patches, scores, threshold, resamples, seed)
            for group in make_groups(columns_of_patches(patches, columns), columns)
        },
        patches=tuple(
            PatchScore(number, name, slide, bool(own), float(score))
            for number, (name, slide, own, score) in enumerate(
                zip(
                    patches.names,
                    patches.slides or [""] * len(patches),
                    positive,
                    scores,
                    strict=True,
                )
            )
        ),
    )


def columns_of_patches(patches: PatchSet, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the value of some columns for each patch, "unknown" where it has none.

    Raises:
        DataError: The patches have no such column.
    """
    own = {"slide": patches.slides, **patches.columns} if patches.slides else patches.columns
    for name in columns:
        if name not in own:
            raise DataError(
                f"the patches have no column {name!r}",
                f"group by one of {', '.join(own)}" if own else "leave {by} out",
                {"by": None},
            )
    return [{name: own[name][at] or "unknown" for name in columns} for at in range(len(patches))]


def _score_group(
    group: Group,
    patches: PatchSet,
    scores: Values,
    threshold: float,
    resamples: int,
    seed: int,
) -> PatchGroup:
    members = np.array(group.members, np.int64)
    own = scored(scores[members], patches.labels[members] == 1, threshold)
    units = [patches.units[member] for member in group.members]
    counts = own.drawn().counts
    return PatchGroup(
        keys=group.keys,
        patches=len(members),
        slides=len(set(units)),
        positives=int(own.positive.sum()),
        tp=int(counts.tp[0]),
        fp=int(counts.fp[0]),
        fn=int(counts.fn[0]),
        tn=int(counts.tn[0]),
        intervals=_intervals(own, units, resamples, seed),
        roc=roc_curve(own.ranking),
        calibration=reliability(own.scores, own.positive),
    )


def _intervals(own: Scored, units: Sequence[str], resamples: int, seed: int) -> dict[str, Interval]:
    """Each measure with its interval, NaN without resamples."""
    once = own.drawn()
    samples: dict[str, list[Values]] = {key: [] for key in PATCH_MEASURES}
    for weights in weights_in_parts(units, resamples, seed) if resamples else ():
        drawn = own.drawn(weights)
        for key, measure in PATCH_MEASURES.items():
            samples[key].append(measure.value(drawn))
    return {
        key: interval(
            float(measure.value(once)[0]), np.concatenate([np.zeros(0), *samples[key]]), LEVEL
        )
        for key, measure in PATCH_MEASURES.items()
    }
