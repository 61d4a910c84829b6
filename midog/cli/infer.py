"""`midog infer`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from midog.cli.flags import flag_names
from midog.cli.infer_engines import detect, require_ray_for
from midog.cli.infer_given import area_of, models_of, mpp_of, require_one_rule, shard_in
from midog.cli.infer_words import print_outcome, print_shard
from midog.cli.options import (
    DATA,
    DEVICE,
    MODEL,
    OUTPUT,
    RARE,
    SCALE,
    AnnotationsFormatOption,
    AnnotationsOption,
    BboxOption,
    ClassesOption,
    DetectionThresholdOption,
    DeviceOption,
    ModelsOption,
    OrientationsOption,
    RunsOption,
    SplitOption,
    WithinOption,
    WithinThresholdOption,
    argument,
    option,
)
from midog.cli.shared import number_or_auto
from midog.cli.terminal import say
from midog.errors import MidogError

if TYPE_CHECKING:
    from midog.inference.jobs import Job
    from midog.inference.outcome import Outcome
    from midog.inference.shard import Shard


def infer(
    context: typer.Context,
    images: Annotated[
        list[Path],
        argument(
            "IMAGES...",
            "Images, folders with images in them or below, patterns in quotes ('slides/*.svs'),"
            " manifests (CSV: path, mpp, scanner, patient), or a data folder.",
        ),
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
    atypical: Annotated[
        Path | None,
        option(
            "--atypical",
            "FOLDER",
            "Run or model of task patches that tells atypical figures from normal ones: kind and"
            " probability in csv, coco, geojson and hotspot, and the count.",
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
    within: WithinOption = None,
    within_threshold: WithinThresholdOption = None,
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
    shard: Annotated[
        str | None,
        option(
            "--shard",
            "K/N",
            "The K-th of N equal shares of the images alone, as for a job array; all N fill one"
            " folder.",
            SCALE,
        ),
    ] = None,
    engine: Annotated[
        Literal["local", "ray"],
        option(
            "--engine",
            "NAME",
            "local: in this process; ray: on the nodes of a Ray cluster, which share the disk.",
            SCALE,
        ),
    ] = "local",
    address: Annotated[
        str | None,
        option(
            "--address",
            "HOST:PORT",
            "Ray cluster, or auto. [default: one of this machine's devices alone]",
            SCALE,
        ),
    ] = None,
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
    mpp: Annotated[
        str | None,
        option(
            "--mpp",
            "UM",
            "Size of a pixel in um, or as 0.25/0.26 its width and height, for every image;"
            " overrules manifest, split and files.",
            RARE,
        ),
    ] = None,
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
    require_one_rule(calibrate, verifier)
    side, together = number_or_auto(tile, "--tile"), number_or_auto(batch_size, "--batch-size")
    part = None if shard is None else shard_in(shard)
    require_ray_for(address, engine)
    given_mpp = None if mpp is None else mpp_of(mpp)
    from midog.formats.registry import require_formats
    from midog.inference.detector_choice import DetectorChoice
    from midog.inference.jobs import find_jobs
    from midog.inference.order import Order
    from midog.inference.tissue_tiles import TissueSearch
    from midog.metrics.hotspot import HotspotSettings

    names = [name.strip() for name in formats.split(",") if name.strip()]
    require_formats(names)
    search = TissueSearch(tissue, min_tissue, area_of(within, within_threshold, out, device))
    hotspot = HotspotSettings(hotspot_area, hotspot_shape, hotspot_tissue)
    jobs = find_jobs(
        images,
        subset=subset,
        split=split,
        annotations=annotations,
        bbox=bbox,
        classes=classes,
        annotations_format=annotations_format,
        mpp=given_mpp,
        out=out,
    )
    share = jobs if part is None else part.of(jobs)
    choice = DetectorChoice(
        models_of(model, verifier, runs),
        verifier,
        threshold,
        device,
        side,
        overlap,
        together,
        precision,
        workers,
        orientations,
        calibrate,
    )
    order = Order(choice, jobs, out, names, search, hotspot, overwrite, atypical)
    outcome = detect(order, share, engine, address)
    _report(outcome, share, out, context, part, jobs)


def _report(
    outcome: Outcome,
    share: Sequence[Job],
    out: Path,
    context: typer.Context,
    shard: Shard | None,
    jobs: Sequence[Job],
) -> None:
    """Print what was detected and what failed; raise an error that names that."""
    if len(jobs) == 1 and outcome.failed:
        raise next(iter(outcome.failed.values()))
    print_outcome(outcome, share, out)
    if shard is not None:
        print_shard(shard, jobs, out)
    for error in outcome.failed.values():
        say(f"error: {error.line(flag_names(context.command))}")
    if outcome.failed:
        raise MidogError(
            f"{len(outcome.failed)} of {len(share)} images failed: {', '.join(outcome.failed)}"
        )
