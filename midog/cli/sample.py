"""`midog patches sample`: an index of places in slides, for classifiers of patches."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from midog.cli.options import DATA, MOST_SEED, OUTPUT, MppOption, argument, option
from midog.cli.patch_options import GroupsOption, MaskValueOption, truth_rule
from midog.cli.shared import print_table, stoppable
from midog.cli.terminal import say
from midog.errors import MidogError
from midog.mpp import HIGHEST_MPP, LOWEST_MPP

WINDOWS = "Windows"


def sample(
    slides: Annotated[
        list[Path], argument("SLIDES...", "Slides, or folders of them: slides/ of a folder.")
    ],
    out: Annotated[Path, option("--out", "FOLDER", "Folder of the index to write.", OUTPUT)],
    truth: Annotated[
        Path | None,
        option(
            "--truth",
            "FOLDER",
            "Folder with STEM.xml of ASAP or STEM_mask.tif. [default: annotations/ or masks/]",
            DATA,
        ),
    ] = None,
    without_truth: Annotated[
        Literal["error", "normal"],
        option("--without-truth", "WHAT", "Slides without such a file: error, normal.", DATA),
    ] = "error",
    groups: GroupsOption = "",
    mask_value: MaskValueOption = None,
    split: Annotated[
        Path | None,
        option(
            "--split",
            "FILE",
            "CSV of file_name,patient,split. [default: split.csv, or slides are dealt]",
            DATA,
        ),
    ] = None,
    side: Annotated[
        int, option("--side", "PX", "Side of a window.", WINDOWS, min=8, max=1024)
    ] = 256,
    patch_mpp: Annotated[
        float,
        option("--patch-mpp", "UM", "Um/px of it.", WINDOWS, min=LOWEST_MPP, max=HIGHEST_MPP),
    ] = 1.0,
    stride: Annotated[
        int, option("--stride", "PX", "From one window to the next.", WINDOWS, min=1, max=4096)
    ] = 192,
    centre: Annotated[
        int | None,
        option(
            "--centre",
            "PX",
            "Side of the middle that decides the label. [default: all of it]",
            WINDOWS,
            min=1,
            max=1024,
        ),
    ] = None,
    shift: Annotated[
        int, option("--shift", "PX", "Largest random shift of a window.", WINDOWS, min=0, max=1024)
    ] = 0,
    min_tumour: Annotated[
        float,
        option(
            "--min-tumour",
            "SHARE",
            "Of its middle that is tumour in a window of that class; 0: any.",
            WINDOWS,
            min=0,
            max=1,
        ),
    ] = 0.0,
    tissue: Annotated[
        str,
        option("--tissue", "RULE", "Tissue: grey, saturation, otsu, all, or GeoJSON.", WINDOWS),
    ] = "grey",
    min_tissue: Annotated[
        float,
        option(
            "--min-tissue",
            "SHARE",
            "Of a normal window that is tissue.",
            WINDOWS,
            min=0,
            max=1,
        ),
    ] = 0.75,
    per_slide: Annotated[
        int,
        option(
            "--per-slide",
            "N",
            "Most windows of either class of a slide.",
            WINDOWS,
            min=1,
            max=1_000_000,
        ),
    ] = 1000,
    ratio: Annotated[
        float,
        option(
            "--ratio",
            "R",
            "Normal windows for one of tumour, in slides with tumour.",
            WINDOWS,
            min=0,
            max=1000,
        ),
    ] = 1.0,
    seed: Annotated[
        int, option("--seed", "N", "Seed of shifts and draws.", WINDOWS, min=0, max=MOST_SEED)
    ] = 0,
    mpp: MppOption = None,
) -> None:
    """Choose windows of slides with outlined tumour; index them.

    A folder with slides/ also gives its annotations/ or masks/, and its split.csv. The index holds
    places and labels, no pixels: `midog patches train --data FOLDER` reads those from the slides.
    """
    from midog.inference.given_images import find_images
    from midog.progress import bar
    from midog.tumour.sample import WindowRule
    from midog.tumour.sample_slides import SamplingRule, sample_slides, table

    if len(slides) == 1 and (slides[0] / "slides").is_dir():
        home, slides = slides[0], [slides[0] / "slides"]
        truth = truth or next(
            (home / name for name in ("annotations", "masks") if (home / name).is_dir()), None
        )
        split = split or next((file for file in [home / "split.csv"] if file.is_file()), None)
    if truth is None:
        raise MidogError(
            "nothing states where these slides are tumour",
            "name the folder of ASAP's XML or of masks with {truth}",
            {"truth": None},
        )
    window = WindowRule(
        side,
        patch_mpp,
        stride,
        side if centre is None else centre,
        shift,
        min_tumour,
        min_tissue,
        per_slide,
        ratio,
    )
    rule = SamplingRule(
        window,
        truth,
        without_truth,
        truth_rule(groups, mask_value),
        tissue,
        split,
        seed=seed,
        mpp=mpp,
    )
    paths = [image.path for image in find_images(slides)]
    with stoppable("stopped; nothing was written"), bar("slides sampled") as move:
        sampled = sample_slides(paths, out, rule, move)
    print_table(*table(sampled))
    say(f"the index is {out}; next: midog patches train --data {out} --set data.mpp={patch_mpp:g}")
