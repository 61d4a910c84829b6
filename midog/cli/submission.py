"""`midog submission`: an entry to the MIDOG challenge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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

if TYPE_CHECKING:
    from midog.submission.check import CheckedFile

submission_app = typer.Typer(
    cls=Group,
    add_completion=False,
    rich_markup_mode=None,
    help="Make an entry to the MIDOG challenge, and check it.",
    no_args_is_help=True,
)

_MOST_SHOWN = 10

TrackOption = Annotated[
    Literal["1", "2"],
    option(
        "--track",
        "N",
        "1: figures are detected in an image; 2: the figures in a stack of crops are classified as"
        " normal or atypical.",
        MODEL,
    ),
]


@submission_app.command("make", cls=Command)
def make(
    out: Annotated[Path, option("--out", "FOLDER", "Folder for the kit.", OUTPUT)],
    track: TrackOption = "1",
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
    """Write the folder of a container for MIDOG 2025.

    It holds a Dockerfile, pinned requirements, midog itself, the entry point, the model, and
    scripts that try and save the image. Track 1 takes a detector or an ensemble; track 2 a
    classifier of patches, one of whose classes is named atypical.
    """
    from midog.inference.orientations import orientations as orientations_of
    from midog.submission.container import Kit
    from midog.submission.contract import TRACKS
    from midog.submission.kit import make_kit

    orientations_of(orientations)
    if track == "2" and (verifier is not None or orientations != 1):
        hint = "--verifier" if verifier is not None else "--orientations"
        raise typer.BadParameter("it is one of track 1", param_hint=hint)
    if model is None:
        model = _default_model(track, verifier, runs)
    values = {"threshold": threshold, "orientations": orientations, "mpp": mpp}
    kit = Kit.model_validate({"track": int(track), **values})
    words = make_kit(model, out, kit, verifier=verifier)
    show(out)
    say(f"model {words}")
    image = TRACKS[kit.track].image.upper()
    say(f"try it: {out}/try.sh {image}.tiff; write what is uploaded: {out}/save.sh")


def _default_model(track: str, verifier: Path | None, runs: Path) -> Path:
    """The newest run's model, or that of the verifier's detector."""
    from midog.inference.verifier import load_verifier
    from midog.training.runs import newest_model

    if track == "2":
        return newest_model(runs, task="patches")
    of_verifier = load_verifier(verifier, device="cpu").detector_folder if verifier else None
    return of_verifier or newest_model(runs, task="detection")


@submission_app.command("check", cls=Command)
def check(
    detections: Annotated[
        Path,
        argument("FOLDER", "Folder of detections or classes, or of the platform's jobs."),
    ],
    track: TrackOption = "1",
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
    from midog.submission.contract import TRACKS

    if track == "2" and data is not None:
        raise typer.BadParameter("stacks of track 2 are in --truth", param_hint="--data")
    images = _known_images(track, truth, data, split, subset)
    files = check_folder(detections, images, track=TRACKS[int(track)])
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
    count = sum(file.count for file in files)
    say(
        f"{len(files)} files with {count} {'points' if track == '1' else 'crops'}, all of them"
        " accepted"
    )
    if images is None:
        names = "--truth or --data names" if track == "1" else "--truth names"
        say(f"their images were not looked at: {names} those that the scorer knows")
    if track == "2":
        _say_if_of_stated_class(files)


def _say_if_of_stated_class(files: Sequence[CheckedFile]) -> None:
    from midog.submission.class_refusals import are_of_stated_class

    if are_of_stated_class([file.document for file in files]):
        say(
            "no normal figure has a confidence below 0.5: is it that of the class that is stated?"
            " The scorer takes it for that of atypical, and AUC would be wrong"
        )


def _known_images(
    track: str, truth: Path | None, data: Path | None, split: str | None, subset: str
) -> list[str] | dict[str, int] | None:
    if truth is not None and data is not None:
        raise typer.BadParameter("give --truth or --data, not both", param_hint="--truth")
    if truth is not None and track == "2":
        from midog.submission.stack_truth import crops_by_stack

        return crops_by_stack(truth)
    if truth is not None:
        from midog.evaluation.challenge_truth import read_truth

        return [roi.file_name for roi in read_truth(truth)]
    if data is None:
        return None
    from midog.data.folder import read_rois, select_rois

    return [roi.file_name for roi in select_rois(read_rois([data], split=split), subset)]
