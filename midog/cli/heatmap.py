"""`midog heatmap`: where in slides a classifier of patches sees its second class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from midog.cli.command import Command, Group
from midog.cli.flags import flag_names
from midog.cli.heatmap_evaluate import evaluate
from midog.cli.heatmap_tables import print_maps
from midog.cli.infer_given import mpp_of
from midog.cli.options import (
    DATA,
    DEVICE,
    MODEL,
    OUTPUT,
    RARE,
    DeviceOption,
    OrientationsOption,
    RunsOption,
    argument,
    option,
)
from midog.cli.patch_options import GroupsOption, MaskValueOption, truth_rule
from midog.cli.shared import number_or_auto, stoppable
from midog.cli.terminal import say
from midog.errors import MidogError

if TYPE_CHECKING:
    from midog.heatmap.make_maps import MapOutcome

MAKE = "make"


class HeatmapGroup(Group):
    """`midog heatmap SLIDE` is short for `midog heatmap make SLIDE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Put the command in where a slide or an option of it stands in its place."""
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = [MAKE, *args]
        return super().parse_args(ctx, args)


heatmap_app = typer.Typer(
    cls=HeatmapGroup,
    add_completion=False,
    rich_markup_mode=None,
    help=(
        "Map tumour, or what a classifier of patches knows, over slides.\n\n"
        "`midog heatmap SLIDE` is short for `midog heatmap make SLIDE`."
    ),
    no_args_is_help=True,
)


@heatmap_app.command(MAKE, cls=Command)
def make(
    context: typer.Context,
    slides: Annotated[
        list[Path],
        argument(
            "SLIDES...",
            "Slides, folders with slides in them or below, patterns in quotes ('slides/*.svs'), or"
            " manifests (CSV: path, mpp, scanner, patient).",
        ),
    ],
    truth: Annotated[
        Path | None,
        option(
            "--truth",
            "PATH",
            "Outlines or masks of the second class: a folder of STEM.xml (ASAP) or STEM_mask.tif,"
            " or such a file for one slide. It adds STEM.triptych.png and the rates of px.",
            DATA,
        ),
    ] = None,
    groups: GroupsOption = "",
    mask_value: MaskValueOption = None,
    model: Annotated[
        Path | None,
        option(
            "--model",
            "FOLDER",
            "Run or model of a classifier of patches. [default: the newest run's best model]",
            MODEL,
        ),
    ] = None,
    stride: Annotated[
        str,
        option(
            "--stride",
            "PX",
            "Px between windows, at the model's um/px; a px of the map stands for as many. auto:"
            " half a window.",
            MODEL,
        ),
    ] = "auto",
    orientations: OrientationsOption = 1,
    tissue: Annotated[
        str,
        option(
            "--tissue",
            "WHERE",
            "Where to look: auto (tissue, by rule otsu), saturation, grey, all, a GeoJSON file of"
            " areas, or a folder of them.",
            MODEL,
        ),
    ] = "auto",
    min_tissue: Annotated[
        float,
        option(
            "--min-tissue",
            "SHARE",
            "A px of the map is looked at if more of it than this share is tissue.",
            MODEL,
            min=0,
            max=1,
        ),
    ] = 0.0,
    runs: RunsOption = Path("runs"),
    out: Annotated[Path, option("--out", "FOLDER", "Folder for the maps.", OUTPUT)] = Path(
        "heatmaps"
    ),
    overwrite: Annotated[
        bool, option("--overwrite", None, "Make maps again that are done.", OUTPUT)
    ] = False,
    device: DeviceOption = "auto",
    workers: Annotated[
        int, option("--workers", "N", "Threads that read windows ahead.", DEVICE, min=0, max=256)
    ] = 2,
    mpp: Annotated[
        str | None,
        option(
            "--mpp",
            "UM",
            "Size of a pixel in um, or as 0.25/0.26 its width and height, for every slide;"
            " overrules manifest, split and files.",
            RARE,
        ),
    ] = None,
) -> None:
    """Map the probability of the second class over slides.

    STEM.heatmap.tif is a pyramidal TIFF with um/px, STEM.heatmap.png shows it over the slide, and
    STEM.heatmap.json holds slide score and area. A px of a map is the mean of all windows that
    cover it. A stopped command resumes where it was; slides that are done are skipped.
    """
    step = number_or_auto(stride, "--stride") or "auto"
    given_mpp = None if mpp is None else mpp_of(mpp)
    from midog.heatmap.compute import MapSettings
    from midog.heatmap.make_maps import MapMaker
    from midog.heatmap.truth_of_slides import TruthOfSlides
    from midog.inference.jobs import find_jobs
    from midog.inference.patch_classifier import PatchClassifier
    from midog.inference.tissue_tiles import TissueSearch
    from midog.progress import infer_bars
    from midog.training.runs import newest_model

    settings = MapSettings(step, orientations, min_tissue)
    search = TissueSearch(tissue)
    jobs = find_jobs(slides, mpp=given_mpp, out=out)
    truths = (
        None
        if truth is None
        else TruthOfSlides.at(truth, [job.path for job in jobs], truth_rule(groups, mask_value))
    )
    classifier = PatchClassifier.load(model or newest_model(runs, task="patches"), device=device)
    maker = MapMaker(
        classifier,
        out,
        settings,
        search,
        None if truths is None else truths.open,
        overwrite,
        workers,
    )
    say(
        f"model {classifier.folder}: {classifier.classes[1]} against {classifier.classes[0]},"
        f" threshold {classifier.threshold:.3f} (chosen on patches of valid)"
    )
    hint = f"stopped; what is done stays in {out}/, the same command continues"
    with stoppable(hint), infer_bars(len(jobs)) as (on_image, on_step):
        outcome = maker.make(jobs, on_image=on_image, on_step=on_step)
    _report(outcome, out, context)


heatmap_app.command("evaluate", cls=Command)(evaluate)


def _report(outcome: MapOutcome, out: Path, context: typer.Context) -> None:
    """Print a line for each map; raise an error that names the slides that failed."""
    if len(outcome.failed) == 1 and not outcome.done and not outcome.skipped:
        raise next(iter(outcome.failed.values()))
    print_maps(outcome.done | outcome.skipped)
    skipped = f", {len(outcome.skipped)} were done before" if outcome.skipped else ""
    say(f"{len(outcome.done)} maps made{skipped}; they are in {out}/")
    for error in outcome.failed.values():
        say(f"error: {error.line(flag_names(context.command))}")
    if outcome.failed:
        names = ", ".join(outcome.failed)
        raise MidogError(f"{len(outcome.failed)} slides failed: {names}")
