"""`midog evaluate` and `midog compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from midog.cli.options import (
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
from midog.cli.shared import print_result
from midog.cli.terminal import say


def evaluate(
    detections: Annotated[
        Path, argument("DETECTIONS", "Folder of detections, or one file of all.")
    ],
    data: DataFoldersOption = None,
    split: SplitOption = None,
    subset: SubsetOption = "test",
    by: ByOption = "scanner",
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
    as_json: JsonOption = False,
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
    from midog.evaluation.scoring import evaluate as score
    from midog.files import replace_text
    from midog.inference.output_folder import threshold_origin
    from midog.inference.stored_threshold import OF_TRAINING

    outputs = (("report", report, PAGE), ("csv", csv, ROI_TABLE), ("sheet", sheet, SHEET))
    for name, path, kind in outputs:
        if path is not None:
            check_output(path, kind, name)
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
    result = score(
        detections,
        rois,
        by=by,
        threshold=threshold,
        mpp=mpp,
        allow_missing=allow_missing,
        resamples=resamples,
        seed=seed,
    )
    origin = threshold_origin(detections)
    if threshold is None and origin not in ("", "given", OF_TRAINING):
        say(f"the threshold of {detections} was chosen so: {origin}")
    # files first, as a pipe that closes early must not cost them; the scores even if one of them
    # cannot be written
    try:
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
    finally:
        print_result(result, as_json, print_scores)


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
    """Test whether model A scores higher than model B on the same ROIs.

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
