"""What else differs between the scanners, such as the tumour: columns of the split that go with
them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from midog.data.roi import Roi
from midog.metrics.value_mix import compare_mixes
from midog.shift.result import Confounder

LEAST_DISTANCE = 0.25
"""Total variation between the mixes of two scanners, over which a column may go with them."""
MOST_CHANCE = 0.01
"""The most often that chance may make it as large."""


def find_confounders(rois: Sequence[Roi]) -> list[Confounder]:
    """Return the columns of few values whose mix is not the same for all labelled scanners.

    That is, the total variation between the mixes of two scanners is over 0.25, and dealing the
    scanners anew to the patients makes it as large in 1 % of 999 permutations at most.

    Args:
        rois: The ROIs of all scanners; unlabelled ones are left out.
    """
    labelled = [roi for roi in rois if roi.split != "unlabelled"]
    scanners = [roi.scanner for roi in labelled]
    patients = [roi.patient_or_name for roi in labelled]
    columns = dict.fromkeys(name for roi in labelled for name in roi.columns)
    confounders = []
    for column in (name for name in columns if name.strip().lower() != "scanner"):
        values = [roi.columns.get(column, "unknown") for roi in labelled]
        if not 1 < len(set(values)) <= len(labelled) // 4:
            continue  # the same everywhere, or different for nearly every ROI
        mixed = compare_mixes(scanners, patients, values)
        if mixed.distance > LEAST_DISTANCE and mixed.p <= MOST_CHANCE:
            confounders.append(Confounder(column, _table(scanners, values)))
    return confounders


def _table(scanners: Sequence[str], values: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many ROIs have each value, by scanner."""
    table: dict[str, Counter[str]] = {}
    for scanner, value in zip(scanners, values, strict=True):
        table.setdefault(scanner, Counter())[value] += 1
    return {scanner: dict(counts) for scanner, counts in table.items()}
