"""What the options of `midog infer` mean: models, a shard, um/px."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from midog.cli.terminal import say
from midog.errors import MidogError

if TYPE_CHECKING:
    from midog.heatmap.tumour_area import TumourArea
    from midog.inference.shard import Shard
    from midog.mpp import MppLike


def models_of(model: list[Path] | None, verifier: Path | None, runs: Path) -> tuple[Path, ...]:
    """Return the folders that are given, else that of the verifier's detector, else that of the
    newest run."""
    if model:
        return tuple(model)
    from midog.inference.verifier import load_verifier
    from midog.training.runs import newest_model

    of_verifier = load_verifier(verifier, device="cpu").detector_folder if verifier else None
    return (of_verifier or newest_model(runs, task="detection"),)


def shard_in(text: str) -> Shard:
    """Read what `--shard` was given.

    Raises:
        typer.BadParameter: It is no K/N.
    """
    from midog.inference.shard import Shard

    try:
        return Shard.parse(text)
    except MidogError as error:
        raise typer.BadParameter(str(error), param_hint="--shard") from None


def mpp_of(text: str) -> MppLike:
    """Read what `--mpp` was given.

    Raises:
        typer.BadParameter: It is no um/px.
    """
    from midog.data.mpp import mpp_in

    try:
        return mpp_in(text).plain
    except MidogError as error:
        raise typer.BadParameter(str(error), param_hint="--mpp") from None


def area_of(
    model: Path | None, threshold: float | None, out: Path, device: str
) -> TumourArea | None:
    """Return the area that `--within` asks for, and state on stderr what it is.

    Raises:
        typer.BadParameter: There is a threshold without it.
    """
    if model is None:
        if threshold is not None:
            raise typer.BadParameter("it is one of --within", param_hint="--within-threshold")
        return None
    from midog.heatmap.tumour_area import TumourArea

    area = TumourArea(model, out / "heatmaps", threshold, device)
    say(f"figures are counted {area}; its maps are in {area.folder}/")
    return area


def require_one_rule(calibrate: bool, verifier: Path | None) -> None:
    """Check that scores are moved or joined, not both.

    Raises:
        typer.BadParameter: Both are asked for.
    """
    if calibrate and verifier is not None:
        raise typer.BadParameter(
            "the verifier's rule is for scores as they are", param_hint="--calibrate"
        )
