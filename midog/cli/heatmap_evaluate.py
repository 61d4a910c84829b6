"""`midog heatmap evaluate`: heat maps scored against the truth of their slides."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from midog.cli.heatmap_tables import print_heatmap_scores
from midog.cli.options import (
    DATA,
    SCORING,
    BootstrapSeedOption,
    JsonOption,
    argument,
    option,
)
from midog.cli.patch_options import (
    GroupsOption,
    MaskValueOption,
    SlideResamplesOption,
    truth_rule,
)
from midog.cli.shared import print_result


def evaluate(
    maps: Annotated[
        Path, argument("MAPS", "Folder of heat maps (STEM.heatmap.tif), or one such file.")
    ],
    truth: Annotated[
        Path,
        option(
            "--truth",
            "FOLDER",
            "Outlines or masks of the class: STEM.xml (ASAP) or STEM_mask.tif for each slide.",
            DATA,
        ),
    ],
    normal: Annotated[
        bool,
        option(
            "--normal", None, "Slides without such a file have no tumour, as in CAMELYON16.", DATA
        ),
    ] = False,
    groups: GroupsOption = "",
    mask_value: MaskValueOption = None,
    threshold: Annotated[
        float | None,
        option(
            "--threshold",
            "P",
            "Least value that counts. [default: that in the maps, the model's]",
            SCORING,
            min=0,
            max=1,
        ),
    ] = None,
    threshold_from: Annotated[
        Path | None,
        option(
            "--threshold-from",
            "FOLDER",
            "Maps of valid slides, on whose px the threshold of highest Dice is chosen.",
            SCORING,
        ),
    ] = None,
    threshold_truth: Annotated[
        Path | None,
        option(
            "--threshold-truth", "FOLDER", "Truth of those. [default: that of --truth]", SCORING
        ),
    ] = None,
    radius: Annotated[
        float,
        option(
            "--radius", "UM", "Least distance of peaks, for lesions.", SCORING, min=1, max=100_000
        ),
    ] = 192.0,
    least_peak: Annotated[
        float,
        option("--least-peak", "P", "Lower peaks are none.", SCORING, min=0.001, max=1),
    ] = 0.05,
    resamples: SlideResamplesOption = 2000,
    seed: BootstrapSeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Score heat maps: AUC of px, lesion FROC, AUC of slides.

    A px of a map is tumour if half of it is. Lesions are counted as CAMELYON16 counts them.
    Precision is given beside recall, with the share of tumour that it depends on.
    """
    if threshold is not None and threshold_from is not None:
        raise typer.BadParameter("give one of both", param_hint="--threshold, --threshold-from")
    from midog.evaluation.heatmap_folder import find_maps, require_alike, require_apart, score_maps
    from midog.evaluation.heatmaps import choose_threshold, evaluate_heatmaps
    from midog.evaluation.scoring import check_resamples
    from midog.progress import bar

    check_resamples(resamples, least=0, few="give 0 (no intervals) or more")
    files = find_maps(maps)
    chosen_on = find_maps(threshold_from) if threshold_from else []
    require_alike([*files, *chosen_on])
    require_apart(files, chosen_on)
    with bar("maps") as on_map:
        rule = truth_rule(groups, mask_value)
        score = partial(score_maps, normal=normal, rule=rule, on_map=on_map)
        scored = score(files, truth, radius_um=radius, least_peak=least_peak)
        least, origin = scored.threshold, scored.threshold_from
        if threshold is not None:
            least, origin = threshold, "given"
        elif chosen_on:
            valid = score(chosen_on, threshold_truth or truth)
            least = choose_threshold(valid.maps)
            origin = f"of highest Dice on {len(valid.maps)} slides of {threshold_from}"
    result = evaluate_heatmaps(
        scored.maps,
        threshold=least,
        class_name=scored.class_name,
        resamples=resamples,
        seed=seed,
        radius_um=radius,
        least_peak=least_peak,
        about={"maps": str(maps), "threshold_from": origin},
    )
    print_result(result, as_json, print_heatmap_scores)
