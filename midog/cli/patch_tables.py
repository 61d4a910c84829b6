"""The scores of a classifier of patches as `midog patches evaluate` prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from midog.cli.shared import number, print_table
from midog.cli.terminal import say

if TYPE_CHECKING:
    from midog.evaluation.patch_result import PatchEvaluation


def print_patch_scores(result: PatchEvaluation) -> None:
    """Print a line for each score of each group, with its interval; then what they are of."""
    from midog.evaluation.patch_measures import PATCH_MEASURES

    header = ["group", "score", "value"]
    header += [f"{result.level:.0%} interval"] if result.resamples else []
    rows = []
    for name, group in result.groups.items():
        for key, measure in PATCH_MEASURES.items():
            score = group.intervals[key]
            row = [name, measure.header, number(score.value)]
            if result.resamples:
                row.append(f"{number(score.low)} - {number(score.high)}")
            rows.append(row)
    print_table(header, rows)
    whole = result.groups["all"]
    first, second = result.classes
    negatives = whole.patches - whole.positives
    slides = f"{whole.slides} slides" if result.unit == "slide" else "unknown slides"
    say(
        f"{whole.patches} patches of {slides}: {whole.positives} of class {second},"
        f" {negatives} of class {first}"
    )
    origin = "chosen on valid" if result.threshold_from == "val" else "given"
    say(
        f"at a probability of {second} of {result.threshold:.3g} or more, {origin}:"
        f" {whole.tp} of {whole.positives} {second} and {whole.fp} of {negatives} {first} are"
        f" taken for {second}"
    )
