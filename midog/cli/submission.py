"""`midog submission`: an entry to the MIDOG challenge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from midog.cli.command import Command, Group
from midog.cli.options import (
    DATA,
    MODEL,
    OUTPUT,
    DetectionThresholdOption,
    ModelOption,
    MppOption,
    OrientationsOption,
    RunsOption,
    SplitOption,
    argument,
    option,
)
from midog.cli.terminal import say, show, show_text
from midog.errors import DetectionsError, escaped

submission_app = typer.Typer(
    cls=Group,
    add_completion=False,
    rich_markup_mode=None,
    help="Make an entry to the MIDOG challenge, and check it.",
    no_args_is_help=True,
)

_MOST_SHOWN = 10


@submission_app.command("make", cls=Command)
def make(
    out: Annotated[Path, option("--out", "FOLDER", "Folder for the kit.", OUTPUT)],
    model: ModelOption = None,
    verifier: Annotated[
        Path | None,
        option(
            "--verifier",
            "FOLDER",
            "Run or model of task verify: a second look at each detection. With it, the default of"
            " --model is the detector that it was trained for.",
            MODEL,
        ),
    ] = None,
    orientations: OrientationsOption = 1,
    threshold: DetectionThresholdOption = None,
    runs: RunsOption = Path("runs"),
    mpp: MppOption = None,
) -> None:
    """Write the folder of a container for MIDOG 2025, track 1.

    It holds a Dockerfile, pinned requirements, midog itself, the entry point, the model, and
    scripts that try and save the image. The model may be an ensemble.
    """
    from midog.inference.orientations import orientations as orientations_of
    from midog.inference.verifier import load_verifier
    from midog.submission.job import Kit
    from midog.submission.kit import make_kit
    from midog.training.runs import newest_model

    orientations_of(orientations)
    if model is None and verifier is not None:
        model = load_verifier(verifier, device="cpu").detector_folder
    if model is None:
        model = newest_model(runs, task="detection")
    kit = Kit.model_validate({"threshold": threshold, "orientations": orientations, "mpp": mpp})
    words = make_kit(model, out, kit, verifier=verifier)
    show(out)
    say(f"model {words}")
    say(f"try it: {out}/try.sh ROI.tiff; write what is uploaded: {out}/save.sh")


@submission_app.command("check", cls=Command)
def check(
    detections: Annotated[
        Path,
        argument("FOLDER", "Folder of detections, or of the platform's jobs."),
    ],
    truth: Annotated[
        Path | None,
        option("--truth", "FILE", "Ground truth of the challenge: its images are the known.", DATA),
    ] = None,
    data: Annotated[
        Path | None, option("--data", "FOLDER", "Data folder: its ROIs are the known images.", DATA)
    ] = None,
    split: SplitOption = None,
    subset: Annotated[
        str, option("--subset", "ROLE", "ROIs of it: train, val, test or all.", DATA)
    ] = "test",
) -> None:
    """List what MIDOG 2025 would refuse, file by file.

    That is all that its scorer and its platform refuse; the scorer ends at the first of them. Exits
    with 1 if anything is refused.
    """
    from midog.submission.check import check_folder

    images = _known_images(truth, data, split, subset)
    files = check_folder(detections, images)
    for file in files:
        for refusal in file.refusals[:_MOST_SHOWN]:
            show_text(f"{escaped(f'{file.name}: {refusal}')}\n")
        if (more := len(file.refusals) - _MOST_SHOWN) > 0:
            show_text(f"{escaped(file.name)}: and {more} more\n")
    refused = [file.name for file in files if file.refusals]
    if refused:
        raise DetectionsError(
            f"{len(refused)} of {len(files)} files would be refused",
            "mend them, or write them anew",
        )
    points = sum(file.points for file in files)
    say(f"{len(files)} files with {points} points, all of them accepted")
    if images is None:
        say("their images were not looked at: --truth or --data names those that the scorer knows")


def _known_images(
    truth: Path | None, data: Path | None, split: str | None, subset: str
) -> list[str] | None:
    if truth is not None and data is not None:
        raise typer.BadParameter("give --truth or --data, not both", param_hint="--truth")
    if truth is not None:
        from midog.evaluation.challenge_truth import read_truth

        return [roi.file_name for roi in read_truth(truth)]
    if data is None:
        return None
    from midog.data.folder import read_rois, select_rois

    return [roi.file_name for roi in select_rois(read_rois([data], split=split), subset)]
