"""What a run reports: TensorBoard events, metrics.csv, and lines on the terminal."""

from __future__ import annotations

import csv
import io
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.text import Text
from torch.utils.tensorboard import SummaryWriter

from midog.errors import TrainingError, escaped
from midog.files import replace_text
from midog.progress import step_bars
from midog.training.checkpoint import TrainingProgress
from midog.training.tasks.task import PrecisionRecall, Validation

logger = logging.getLogger(__name__)


class RunLog:
    """The log of a run while it trains; to be closed.

    Args:
        folder: Of the run.
        epochs: Of the whole run.
        epoch: Epochs done; rows of metrics.csv after them are dropped.
        step: Updates done; events after them are dropped.
        console: Default: stderr.
    """

    def __init__(
        self, folder: Path, *, epochs: int, epoch: int, step: int, console: Console | None = None
    ) -> None:
        self.folder = folder
        self.epochs = epochs
        self.console = console or Console(stderr=True)
        self.writer = SummaryWriter(str(folder), purge_step=step + 1)
        self.csv = folder / "metrics.csv"
        _drop_rows(self.csv, epoch)
        self.bar = step_bars(self.console)
        self.task = self.bar.add_task("epoch", total=epochs, completed=epoch)
        self.bar.start()

    def close(self) -> None:
        """Flush everything."""
        self.bar.stop()
        self.writer.close()

    def report(
        self,
        progress: TrainingProgress,
        lr: float,
        pace_scalars: Mapping[str, float],
        validation: Validation | None,
    ) -> None:
        """Report an epoch that is trained.

        Args:
            progress: Still in this epoch.
            lr: Learning rate of its last update.
            pace_scalars: How fast it went, by name.
            validation: At its end, if there was one.
        """
        batches = progress.batch - progress.lost or math.nan  # of nothing there is no mean
        losses = {f"train/loss_{name}": value / batches for name, value in progress.losses.items()}
        scalars = {"train/loss": sum(losses.values()), **losses, "train/lr": lr, **pace_scalars}
        line = None
        if validation is not None:
            scalars |= validation.scalars
            if validation.curve is not None:
                self.curve(validation.curve, progress.step)
            self.pictures(validation.pictures, progress.step)
            line = self._line(progress, scalars, validation.line)
        self.scalars(scalars, progress.step)
        self.epoch({"epoch": progress.epoch + 1, "step": progress.step, **scalars}, line)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Write named numbers at that update; NaN (a score of nothing) is left out."""
        for name, value in values.items():
            if not math.isnan(value):
                self.writer.add_scalar(name, value, step)

    def curve(self, curve: PrecisionRecall, step: int) -> None:
        """Write the precision-recall curve of a validation."""
        self.writer.add_pr_curve_raw(
            "val/pr_curve",
            curve.tp,
            curve.fp,
            np.zeros_like(curve.tp),
            curve.fn,
            curve.precision,
            curve.recall,
            step,
            num_thresholds=len(curve.tp),
        )

    def pictures(self, images: Sequence[NDArray[np.uint8]], step: int) -> None:
        """Write pictures (H, W, 3) uint8."""
        for number, image in enumerate(images):
            self.writer.add_image(f"val/patch_{number}", image, step, dataformats="HWC")

    def epoch(self, row: Mapping[str, float], line: str | None) -> None:
        """Add a row to metrics.csv, move the bar, and print the line if there is one."""
        _add_row(self.csv, row)
        self.writer.flush()
        self.bar.update(self.task, completed=int(row["epoch"]))
        if line:
            # a name in it may look like rich's markup, or hold what a terminal obeys
            text = Text(escaped(line))
            self.console.print(text, highlight=False, soft_wrap=True)

    def _line(self, progress: TrainingProgress, scalars: Mapping[str, float], middle: str) -> str:
        best = "  best" if progress.best_epoch == progress.epoch else ""
        return (
            f"epoch {progress.epoch + 1}/{self.epochs}  loss {scalars['train/loss']:.3f}  {middle}"
            f"  {scalars['train/patches_per_second']:.0f} patches/s{best}"
        )


def read_metrics(path: Path) -> list[dict[str, str]]:
    """Return the rows of a metrics.csv, saved again by a spreadsheet or not; none without a file.

    Raises:
        TrainingError: It is no table with a whole number in a column `epoch`.
    """
    if not path.is_file():
        return []
    try:
        text = path.read_text(encoding="utf-8-sig")
        if "\0" in text:
            raise ValueError("NUL bytes")
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        if all(None not in row and int(row["epoch"]) > 0 for row in rows):
            return [{name: value or "" for name, value in row.items()} for row in rows]
        why = "a row has more cells than there are names, or an epoch below 1"
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        why = f"{type(error).__name__}: {error}"
    raise TrainingError(f"{path} cannot be read as a table of epochs ({why})")


def _add_row(path: Path, row: Mapping[str, Any]) -> None:
    """Rewrite the file with one more row: a kill leaves the old one, late columns get a place."""
    _write_rows(path, [*read_metrics(path), {key: _format(value) for key, value in row.items()}])


def _write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    replace_text(path, text.getvalue())


def _format(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value)


def _drop_rows(path: Path, epoch: int) -> None:
    """Drop the rows after the first `epoch` epochs: they are trained again after a break."""
    try:
        rows = read_metrics(path)
    except TrainingError as error:
        number = 1
        while (aside := path.with_name(f"{path.stem}~{number}{path.suffix}")).exists():
            number += 1
        path.rename(aside)
        logger.warning("%s; it is renamed to %s, and a new one begun", error, aside.name)
        return
    kept = [row for row in rows if int(row["epoch"]) <= epoch]
    if len(kept) < len(rows):
        _write_rows(path, kept)
