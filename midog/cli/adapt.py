"""`midog adapt`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from midog.cli.options import (
    DATA,
    DEVICE,
    OUTPUT,
    DeviceOption,
    ModelOption,
    MppOption,
    RunsOption,
    SplitOption,
    argument,
    option,
)
from midog.cli.shared import stoppable
from midog.cli.terminal import say, show


def adapt(
    images: Annotated[
        list[Path],
        argument(
            "IMAGES...",
            "Images, folders with images in them or below, patterns, manifests, or data folders.",
        ),
    ],
    subset: Annotated[
        str | None,
        option(
            "--subset", "ROLE", "ROIs of a data folder: unlabelled, train, val, test or all.", DATA
        ),
    ] = None,
    scanner: Annotated[
        str | None,
        option("--scanner", "NAME", "ROIs of a data folder that are of this scanner.", DATA),
    ] = None,
    split: SplitOption = None,
    model: ModelOption = None,
    runs: RunsOption = Path("runs"),
    out: Annotated[Path, option("--out", "FOLDER", "Folder for the adapted model.", OUTPUT)] = Path(
        "adapted"
    ),
    tiles: Annotated[
        int,
        option(
            "--tiles",
            "N",
            "Most tiles to look at, spread evenly over the images.",
            DEVICE,
            min=1,
            max=4096,
        ),
    ] = 128,
    device: DeviceOption = "auto",
    mpp: MppOption = None,
) -> None:
    """Adapt a model to a scanner by unlabelled images of it.

    Adaptive BatchNorm: the statistics of every BatchNorm layer become those of the images, as if
    they were one batch. The weights stay, and labels are not looked at. Scores move, so the
    threshold is stored as not re-tuned.
    """
    from midog.inference.adapt import adapt as adapt_model
    from midog.inference.adapt import find_images_to_adapt_to
    from midog.progress import bar
    from midog.training.runs import newest_model

    jobs = find_images_to_adapt_to(images, subset=subset, scanner=scanner, split=split, mpp=mpp)
    where = model or newest_model(runs, task="detection")
    say(f"model {where}")
    with stoppable("stopped; nothing was written"), bar("layers") as on_pass:
        adapted = adapt_model(
            where,
            jobs,
            out,
            scanner=scanner or "",
            tiles=tiles,
            device=device,
            on_pass=on_pass,
        )
    say(
        f"statistics of {adapted.norms} BatchNorm layers are of {adapted.tiles} tiles of"
        f" {adapted.side} px in {adapted.images} images"
    )
    say(
        f"scores have moved: the threshold {adapted.threshold:.3f} is that of the model before, not"
        " re-tuned"
    )
    show(out)
