"""`midog evaluate` and `midog compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from midog.cli.options import (
    DATA,
    DATA_FOLDERS,
    OUTPUT,
    SCORING,
    AnnotationsFormatOption,
    AnnotationsOption,
    BboxOption,
    BootstrapSeedOption,
    ByOption,
    ClassesOption,
    DataFoldersOption,
    HotspotOption,
    HotspotShapeOption,
    JsonKeysOption,
    JsonOption,
    MissingOption,
    MppOption,
    ResamplesOption,
    SplitOption,
    SubsetOption,
    ThresholdOption,
    argument,
    option,
)
from midog.cli.outputs import PAGE, ROI_TABLE, SHEET, check_output
from midog.cli.score_tables import print_comparison, print_scores
from midog.cli.shared import hotspot_wanted, print_result
from midog.cli.terminal import say, show_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from midog.data.roi import Roi
    from midog.evaluation.challenge_truth import TruthRoi
    from midog.evaluation.result import Evaluation


def evaluate(
    detections: Annotated[
        Path, argument("DETECTIONS", "Folder of detections, JSON or GeoJSON, or one file of all.")
    ],
    data: DataFoldersOption = None,
    truth: Annotated[
        Path | None,
        option(
            "--truth",
            "FILE",
            "Ground truth as the MIDOG 2025 challenge has it, in mm, instead of --data.",
            DATA,
        ),
    ] = None,
    split: SplitOption = None,
    subset: SubsetOption = "test",
    by: Annotated[
        str | None,
        option(
            "--by",
            "COLUMNS",
            "Groups: columns of the split, e.g. roi_type; tumour,scanner nests. [default: scanner;"
            " roi_type with --truth]",
            SCORING,
        ),
    ] = None,
    threshold: ThresholdOption = None,
    resamples: ResamplesOption = 2000,
    seed: BootstrapSeedOption = 0,
    allow_missing: MissingOption = False,
    report: Annotated[
        Path | None,
        option("--report", "FILE", "Write an HTML page: tables, curves, the errors.", OUTPUT),
    ] = None,
    csv: Annotated[
        Path | None, option("--csv", "FILE", "Write a CSV with a line per ROI.", OUTPUT)
    ] = None,
    sheet: Annotated[
        Path | None,
        option(
            "--sheet", "FILE", "Write a PNG: the worst mistakes of each group, as crops.", OUTPUT
        ),
    ] = None,
    worst: Annotated[
        int, option("--worst", "N", "Crops in a row of the sheet.", OUTPUT, min=1, max=24)
    ] = 8,
    hotspot: HotspotOption = None,
    hotspot_shape: HotspotShapeOption = "4:3",
    as_json: JsonOption = False,
    json_keys: JsonKeysOption = "midog",
    mpp: MppOption = None,
    annotations: AnnotationsOption = None,
    bbox: BboxOption = "auto",
    classes: ClassesOption = "",
    annotations_format: AnnotationsFormatOption = "auto",
) -> None:
    """Score detections by scanner: F1, AP and FROC with intervals.

    Figures are matched as the MIDOG challenge does: within 7.5 um, the nearest detection first.
    """
    from midog.data.folder import read_rois, select_rois
    from midog.evaluation.challenge_truth import evaluate_truth, read_truth
    from midog.evaluation.scoring import evaluate as score
    from midog.inference.output_folder import threshold_origin
    from midog.inference.stored_threshold import OF_TRAINING

    outputs = (("report", report, PAGE), ("csv", csv, ROI_TABLE), ("sheet", sheet, SHEET))
    written = [name for name, own, _ in (*outputs, ("hotspot", hotspot, "")) if own is not None]
    _require_one_of_each(truth, data, json_keys, written)
    for name, path, kind in outputs:
        if path is not None:
            check_output(path, kind, name)
    known = None if truth is None else read_truth(truth)
    if known is not None:
        rois = [own.roi for own in known]
    else:
        folders = data or DATA_FOLDERS
        rois = read_rois(
            folders,
            split=split,
            annotations=annotations,
            bbox=bbox,
            classes=classes,
            annotations_format=annotations_format,
        )
        rois = select_rois(rois, subset)
    if json_keys == "challenge":
        _print_as_challenge(detections, rois, known, mpp, threshold, allow_missing)
        return
    if known is not None:
        result = evaluate_truth(
            detections,
            known,
            by=by or "roi_type",
            threshold=threshold,
            allow_missing=allow_missing,
            resamples=resamples,
            seed=seed,
        )
    else:
        result = score(
            detections,
            rois,
            by=by or "scanner",
            threshold=threshold,
            mpp=mpp,
            allow_missing=allow_missing,
            resamples=resamples,
            seed=seed,
            hotspots=hotspot_wanted(hotspot, hotspot_shape),
        )
    origin = threshold_origin(detections)
    if threshold is None and origin not in ("", "given", OF_TRAINING):
        say(f"the threshold of {detections} was chosen so: {origin}")
    # files first, as a pipe that closes early must not cost them; the scores even if one of them
    # cannot be written
    try:
        _write_files(result, rois, detections, csv, report, sheet, worst)
    finally:
        print_result(result, as_json, print_scores)


def _write_files(
    result: Evaluation,
    rois: Sequence[Roi],
    detections: Path,
    csv: Path | None,
    report: Path | None,
    sheet: Path | None,
    worst: int,
) -> None:
    """Write the files of an evaluation that are asked for, and say where they are."""
    from midog.files import replace_text

    if csv is not None:
        replace_text(csv, result.to_csv())
        say(f"scores of each ROI are in {csv}")
    if report is not None:
        from midog.report.evaluation_page import write_evaluation_page

        write_evaluation_page(report, result, rois, title=f"Scores of {detections}")
        say(f"the report is {report}")
    if sheet is not None:
        from midog.report.mistake_sheet import write_mistake_sheet

        title = f"Worst mistakes of {detections}"
        write_mistake_sheet(sheet, result, rois, title=title, most=worst)
        say(f"the worst mistakes are in {sheet}")


def _require_one_of_each(
    truth: Path | None, data: Sequence[Path] | None, json_keys: str, written: Sequence[str]
) -> None:
    """Refuse options that exclude each other; written: names of further results asked for."""
    if truth is not None and data:
        raise typer.BadParameter("give --truth or --data, not both", param_hint="--truth")
    if truth is not None and "hotspot" in written:
        raise typer.BadParameter("only with --data", param_hint="--hotspot")
    if json_keys == "challenge" and written:
        raise typer.BadParameter(
            f"the challenge's keys are printed alone, without --{written[0]}",
            param_hint="--json-keys",
        )


def _print_as_challenge(
    detections: Path,
    rois: Sequence[Roi],
    truth: Sequence[TruthRoi] | None,
    mpp: float | None,
    threshold: float | None,
    allow_missing: bool,
) -> None:
    """Print scores as the challenge's metrics.json has them; truth: None where ROIs are data's."""
    from midog.evaluation.challenge_metrics import challenge_metrics, truth_of
    from midog.evaluation.challenge_truth import score_truth
    from midog.evaluation.points import score_rois
    from midog.json_text import to_json

    if truth is None:
        scored = score_rois(
            detections, rois, threshold=threshold, mpp=mpp, allow_missing=allow_missing
        )
        truth = truth_of(scored)
    else:
        scored = score_truth(detections, truth, threshold=threshold, allow_missing=allow_missing)
    show_text(to_json(challenge_metrics(scored, truth), indent=4))


def compare(
    detections_a: Annotated[Path, argument("A", "Detections of model A.")],
    detections_b: Annotated[Path, argument("B", "Detections of model B.")],
    data: DataFoldersOption = None,
    split: SplitOption = None,
    subset: SubsetOption = "test",
    by: ByOption = "scanner",
    threshold: ThresholdOption = None,
    resamples: Annotated[
        int,
        option(
            "--resamples",
            "N",
            "Bootstrap draws of patients, and most permutations of them.",
            SCORING,
            min=1,
            max=100_000,
        ),
    ] = 2000,
    seed: BootstrapSeedOption = 0,
    allow_missing: MissingOption = False,
    as_json: JsonOption = False,
    mpp: MppOption = None,
    annotations: AnnotationsOption = None,
    bbox: BboxOption = "auto",
    classes: ClassesOption = "",
    annotations_format: AnnotationsFormatOption = "auto",
) -> None:
    """Test whether model A scores higher than B on the same ROIs.

    Prints A - B with a bootstrap interval and the p of a permutation test, both over patients.
    """
    from midog.data.folder import read_rois, select_rois
    from midog.evaluation.comparison import compare as run

    rois = select_rois(
        read_rois(
            data or DATA_FOLDERS,
            split=split,
            annotations=annotations,
            bbox=bbox,
            classes=classes,
            annotations_format=annotations_format,
        ),
        subset,
    )
    result = run(
        detections_a,
        detections_b,
        rois,
        by=by,
        threshold=threshold,
        mpp=mpp,
        allow_missing=allow_missing,
        resamples=resamples,
        seed=seed,
    )
    print_result(result, as_json, print_comparison)
