"""`midog infer`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from midog.cli.flags import flag_names
from midog.cli.options import (
    DATA,
    DEVICE,
    MODEL,
    OUTPUT,
    AnnotationsFormatOption,
    AnnotationsOption,
    BboxOption,
    ClassesOption,
    DetectionThresholdOption,
    DeviceOption,
    ModelsOption,
    MppOption,
    OrientationsOption,
    RunsOption,
    SplitOption,
    argument,
    option,
)
from midog.cli.shared import number_or_auto, stoppable
from midog.cli.terminal import say, show_text
from midog.errors import MidogError, escaped

if TYPE_CHECKING:
    from midog.inference.batch import Outcome
    from midog.inference.detector import Detector
    from midog.inference.verified import VerifiedDetector


def infer(
    context: typer.Context,
    images: Annotated[
        list[Path],
        argument("IMAGES...", "Images, folders with images in them or below, or a data folder."),
    ],
    subset: Annotated[
        str | None,
        option("--subset", "ROLE", "ROIs of a data folder: train, val, test or all.", DATA),
    ] = None,
    split: SplitOption = None,
    model: ModelsOption = None,
    orientations: OrientationsOption = 1,
    threshold: DetectionThresholdOption = None,
    verifier: Annotated[
        Path | None,
        option(
            "--verifier",
            "FOLDER",
            "Run or model of task verify: a second look at each detection. With it, the default of"
            " --model is the detector that it was trained for, and --threshold is of the joint"
            " score.",
            MODEL,
        ),
    ] = None,
    tissue: Annotated[
        str | None,
        option(
            "--tissue",
            "WHERE",
            "Where to look: auto (tissue, by rule otsu), saturation, grey, all, a GeoJSON file of"
            " areas, or a folder of them. [default: auto for slides, over 25 mm2, else all]",
            MODEL,
        ),
    ] = None,
    min_tissue: Annotated[
        float,
        option(
            "--min-tissue",
            "SHARE",
            "A tile is looked at if more of it than this share is tissue.",
            MODEL,
            min=0,
            max=1,
        ),
    ] = 0.0,
    calibrate: Annotated[
        bool,
        option(
            "--calibrate",
            None,
            "Move the scores of each image by what its unlabelled tissue scores, to the level that"
            " `midog tune --calibrate` stored.",
            MODEL,
        ),
    ] = False,
    runs: RunsOption = Path("runs"),
    out: Annotated[Path, option("--out", "FOLDER", "Folder for the detections.", OUTPUT)] = Path(
        "detections"
    ),
    formats: Annotated[
        str, option("--format", "NAMES", "Formats, separated by commas: {formats}.", OUTPUT)
    ] = "challenge",
    hotspot_area: Annotated[
        float,
        option(
            "--hotspot-area", "MM2", "Area of the hotspot of formats hotspot and density.", OUTPUT
        ),
    ] = 2.0,
    hotspot_shape: Annotated[
        str,
        option("--hotspot-shape", "SHAPE", "Its shape: circle, or width:height.", OUTPUT),
    ] = "4:3",
    hotspot_tissue: Annotated[
        float,
        option(
            "--hotspot-tissue",
            "SHARE",
            "Least share of it that must be tissue, as --tissue tells it.",
            OUTPUT,
            min=0,
            max=1,
        ),
    ] = 0.0,
    overwrite: Annotated[
        bool, option("--overwrite", None, "Detect again in images that are done.", OUTPUT)
    ] = False,
    device: DeviceOption = "auto",
    tile: Annotated[
        str | None,
        option("--tile", "PX", "{inference.tile} [default: the model's]", DEVICE),
    ] = None,
    overlap: Annotated[
        int | None,
        option(
            "--overlap",
            "PX",
            "{inference.overlap} [default: the model's]",
            DEVICE,
            min=8,
            max=512,
        ),
    ] = None,
    batch_size: Annotated[
        str | None,
        option("--batch-size", "N", "{inference.batch_size} [default: the model's]", DEVICE),
    ] = None,
    precision: Annotated[
        Literal["auto", "32-true", "bf16"] | None,
        option("--precision", "NAME", "{inference.precision} [default: the model's]", DEVICE),
    ] = None,
    workers: Annotated[
        int, option("--workers", "N", "Threads that read tiles ahead.", DEVICE, min=0, max=256)
    ] = 2,
    mpp: MppOption = None,
    annotations: AnnotationsOption = None,
    bbox: BboxOption = "auto",
    classes: ClassesOption = "",
    annotations_format: AnnotationsFormatOption = "auto",
) -> None:
    """Detect mitotic figures in images, one file per image.

    The files of an image in a folder below are in such a folder: case2/y.tiff gives case2/y.json.
    Images that are done already are skipped. An image that cannot be read is reported at the end,
    and the others are done.
    """
    _require_one_rule(calibrate, verifier)
    side, together = number_or_auto(tile, "--tile"), number_or_auto(batch_size, "--batch-size")
    from midog.formats.registry import require_formats
    from midog.inference.batch import infer as infer_all
    from midog.inference.jobs import find_jobs
    from midog.inference.tissue_tiles import TissueSearch
    from midog.metrics.hotspot import HotspotSettings
    from midog.progress import infer_bars
    from midog.training.runs import newest_model

    names = [name.strip() for name in formats.split(",") if name.strip()]
    require_formats(names)
    search = TissueSearch(tissue, min_tissue)
    hotspot = HotspotSettings(hotspot_area, hotspot_shape, hotspot_tissue)
    jobs = find_jobs(
        images,
        subset=subset,
        split=split,
        annotations=annotations,
        bbox=bbox,
        classes=classes,
        annotations_format=annotations_format,
        mpp=mpp,
    )
    from midog.inference.detector import Detector
    from midog.inference.verified import VerifiedDetector
    from midog.inference.verifier import load_verifier

    second = None if verifier is None else load_verifier(verifier, device=device)
    of_verifier = second.detector_folder if second else None
    models = model or [of_verifier or newest_model(runs, task="detection")]
    alone = Detector.load(
        models,
        device=device,
        threshold=None if second else threshold,
        tile=side,
        overlap=overlap,
        batch_size=together,
        precision=precision,
        workers=workers,
        orientations=orientations,
        calibrate=calibrate,
    )
    detector = alone if second is None else VerifiedDetector(alone, second, threshold=threshold)
    also = "" if verifier is None else f", verifier {verifier}"
    announce(detector, " + ".join(map(str, models)) + also)
    hint = f"stopped; finished images stay in {out}/, the same command detects in the rest"
    with stoppable(hint), infer_bars(len(jobs)) as (on_image, on_tile):
        outcome = infer_all(
            jobs,
            detector,
            out,
            formats=names,
            tissue=search,
            hotspot=hotspot,
            overwrite=overwrite,
            on_image=on_image,
            on_tile=on_tile,
        )
    _report(detector, outcome, out, len(jobs), context)


def announce(detector: Detector | VerifiedDetector, name: str) -> None:
    """State on stderr what detects, from which score on, and what is doubtful about that score."""
    say(f"model {name}, threshold {detector.threshold:.3f} ({detector.threshold_from})")
    if detector.views > 1:
        models, orientations = len(detector.members), len(detector.orientations)
        say(
            f"{models} model{'s' * (models > 1)} in {orientations}"
            f" orientation{'s' * (orientations > 1)}: {detector.views} times the work of one"
        )
    if not detector.threshold_is_tuned:
        say(
            "this threshold was not chosen for scores that are merged like this, which have another"
            " scale: `midog tune` or `midog ensemble make --data` chooses one"
        )


def _require_one_rule(calibrate: bool, verifier: Path | None) -> None:
    if calibrate and verifier is not None:
        raise typer.BadParameter(
            "the verifier's rule is for scores as they are", param_hint="--calibrate"
        )


def _print_cost(detector: Detector | VerifiedDetector, outcome: Outcome) -> None:
    """State what a second look and several views took."""
    from midog.inference.verified import VerifiedDetector

    if isinstance(detector, VerifiedDetector) and detector.crops:
        say(detector.cost)
    if detector.views > 1 and outcome.spent:
        say(f"{outcome.ms_per_megapixel:.0f} ms per megapixel")


def _report(
    detector: Detector | VerifiedDetector,
    outcome: Outcome,
    out: Path,
    images: int,
    context: typer.Context,
) -> None:
    """Print what it took, what was detected and what failed; raise an error that names that."""
    _print_cost(detector, outcome)
    if images == 1 and outcome.failed:
        raise next(iter(outcome.failed.values()))
    print_outcome(outcome, out)
    for error in outcome.failed.values():
        say(f"error: {error.line(flag_names(context.command))}")
    if outcome.failed:
        raise MidogError(
            f"{len(outcome.failed)} of {images} images failed: {', '.join(outcome.failed)}"
        )


def print_outcome(outcome: Outcome, out: Path) -> None:
    """Figures of each image on stdout, and their sum on stderr."""
    for name, figures in outcome.figures.items():
        show_text(f"{escaped(name)}\t{figures} mitotic figures\n")
    done = f"{len(outcome.figures)} images done, {sum(outcome.figures.values())} mitotic figures"
    skipped = (
        f", {len(outcome.skipped)} were done before (--overwrite detects again)"
        if outcome.skipped
        else ""
    )
    say(f"{done}{skipped}; detections are in {out}/")
