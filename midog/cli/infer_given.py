"""What the options of `midog infer` mean: models, a shard, um/px."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from midog.errors import MidogError

if TYPE_CHECKING:
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


def require_one_rule(calibrate: bool, verifier: Path | None) -> None:
    """Check that scores are moved or joined, not both.

    Raises:
        typer.BadParameter: Both are asked for.
    """
    if calibrate and verifier is not None:
        raise typer.BadParameter(
            "the verifier's rule is for scores as they are", param_hint="--calibrate"
        )
