"""Scores of patches with the keys of the MIDOG 2025 challenge's metrics.json of track 2."""

from __future__ import annotations

from typing import Any

from midog.data.patches.patch_set import PatchSet
from midog.errors import DataError
from midog.evaluation.groups import parse_by
from midog.evaluation.patches import columns_of_patches
from midog.inference.atypical import atypical_class
from midog.metrics.class_scores import class_aggregates
from midog.metrics.points import Values


def patch_challenge_metrics(
    patches: PatchSet,
    scores: Values,
    *,
    threshold: float,
    classes: tuple[str, str],
    by: str = "",
    name: str = "the model",
) -> dict[str, Any]:
    """Return what the organisers' evaluation of track 2 writes, as plain JSON values.

    Atypical figures are its positives, whichever class of the model they are. `results` is empty,
    as there.

    Args:
        patches, scores, threshold, classes: As of `midog.evaluation.patches.evaluate_patches`.
        by: The column of the patches that names their tumour domain; "": domains are not told.
        name: Of the model, for errors.

    Raises:
        WeightsError: No class is that of atypical figures.
        DataError: The patches have no such column, or there are several.
    """
    number = atypical_class(classes, name)
    columns = parse_by(by) if by else ()
    if len(columns) > 1:
        what = f"the challenge's domains are one column, not {', '.join(columns)}"
        raise DataError(what, "give one column in {by}, or none", {"by": None})
    domains = [keys[columns[0]] for keys in columns_of_patches(patches, columns) if columns]
    second = patches.labels == 1
    aggregates = class_aggregates(
        scores if number else 1 - scores,
        second if number else ~second,
        threshold if number else 1 - threshold,
        domains,
    )
    return {"results": {}, "aggregates": aggregates}
