"""`midog export`: a model for other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from midog.cli.command import Command, Group
from midog.cli.options import MODEL, OUTPUT, RunsOption, argument, option
from midog.cli.terminal import say, show

export_app = typer.Typer(
    cls=Group,
    add_completion=False,
    rich_markup_mode=None,
    help="Write a model for other runtimes.",
    no_args_is_help=True,
)


@export_app.callback()
def _group() -> None:
    """Write a model for other runtimes."""


@export_app.command("onnx", cls=Command)
def onnx(
    model: Annotated[
        Path | None,
        argument("[RUN]", "Model or run. [default: the newest run's best model]"),
    ] = None,
    out: Annotated[
        Path, option("--out", "FILE", "The file; its card is beside it, as FILE.json.", OUTPUT)
    ] = Path("model.onnx"),
    tile: Annotated[
        int | None,
        option(
            "--tile",
            "PX",
            "Side of the tiles that it takes; no other. [default: the model's, 1024 for auto]",
            MODEL,
            min=64,
            max=8192,
        ),
    ] = None,
    runs: RunsOption = Path("runs"),
) -> None:
    """Write a detector's network as an ONNX file.

    It takes any number of tiles at a time, and is compared with the network before it is kept.
    `midog infer --model FILE` runs it.
    """
    from midog.inference.onnx_export import export_onnx
    from midog.training.runs import newest_model

    written = export_onnx(model or newest_model(runs, task="detection"), out, tile=tile)
    show(written.path)
    say(
        f"tiles of {written.tile} px; on random ones its scores differ from torch's by at most"
        f" {written.score:.1g}, its boxes by {written.box_px:.1g} px"
    )
