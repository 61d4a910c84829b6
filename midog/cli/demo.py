"""`midog demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from midog.cli.options import DEVICE, MOST_SEED, OUTPUT, SETTINGS, option
from midog.cli.score_tables import print_scores
from midog.cli.shared import stoppable
from midog.cli.terminal import say, show


def demo(
    out: Annotated[
        Path, option("--out", "FOLDER", "Folder for data, run, detections and report.", OUTPUT)
    ] = Path("midog-demo"),
    overwrite: Annotated[
        bool, option("--overwrite", None, "Delete an earlier demo in that folder first.", OUTPUT)
    ] = False,
    seed: Annotated[
        int,
        option(
            "--seed", "N", "Seed of the data and of the training.", SETTINGS, min=0, max=MOST_SEED
        ),
    ] = 0,
    device: Annotated[
        str, option("--device", "NAME", "{machine.device} [default: cpu]", DEVICE)
    ] = "cpu",
) -> None:
    """Train and score on drawn data: a few minutes, no download.

    Draws a small data set of four scanners, trains on two of them, detects in the test ROIs,
    scores each scanner and writes a report. The same command resumes after an interruption.
    """
    from midog.demo import run_demo

    with stoppable("stopped; the same command resumes from here"):
        result = run_demo(out, seed=seed, device=device, overwrite=overwrite, say=say)
    print_scores(result.evaluation)
    for line in result.closing:
        show(line)
