"""What a run tells: TensorBoard events, metrics.csv, state.json and lines on the terminal."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from torch.utils.tensorboard import SummaryWriter

from midog.files import replace_text
from midog.metrics.sweep import Sweep
from midog.progress import make_progress

PR_POINTS = 127
"""Thresholds of TensorBoard's precision-recall curve."""


class RunLog:
    """Open while a run trains. `step` is the number of updates: events beyond the one it starts at
    are dropped."""

    def __init__(
        self, folder: Path, *, epochs: int, epoch: int, step: int, console: Console | None = None
    ) -> None:
        self.folder = folder
        self.epochs = epochs
        self.console = console or Console(stderr=True)
        self.writer = SummaryWriter(str(folder), purge_step=step + 1)
        self.csv = folder / "metrics.csv"
        _drop_rows(self.csv, epoch)
        self.bar = make_progress(self.console)
        self.task = self.bar.add_task("epoch", total=epochs, completed=epoch)
        self.bar.start()

    def close(self) -> None:
        """Flush everything."""
        self.bar.stop()
        self.writer.close()

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Write named numbers at that update; NaN (an F1 of nothing) is left out."""
        for name, value in values.items():
            if not math.isnan(value):
                self.writer.add_scalar(name, value, step)

    def curve(self, sweep: Sweep, step: int) -> None:
        """The precision-recall curve over whole validation ROIs."""
        if not len(sweep.thresholds):
            return
        order = np.argsort(sweep.thresholds)
        at = np.searchsorted(sweep.thresholds[order], np.linspace(0, 1, PR_POINTS))
        nothing = (0, 0, sweep.figures)  # beyond the best score
        counts = zip((sweep.tp, sweep.fp, sweep.fn), nothing, strict=True)
        tp, fp, fn = (np.append(each[order], beyond)[at] for each, beyond in counts)
        precision = np.divide(tp, tp + fp, out=np.zeros(len(tp)), where=tp + fp > 0)
        recall = np.divide(tp, tp + fn, out=np.zeros(len(tp)), where=tp + fn > 0)
        self.writer.add_pr_curve_raw(
            "val/pr_curve",
            tp,
            fp,
            np.zeros_like(tp),
            fn,
            precision,
            recall,
            step,
            num_thresholds=PR_POINTS,
        )

    def pictures(self, images: Sequence[NDArray[np.uint8]], step: int) -> None:
        """Pictures (H, W, 3) uint8, true and found boxes drawn in."""
        for number, image in enumerate(images):
            self.writer.add_image(f"val/patch_{number}", image, step, dataformats="HWC")

    def epoch(self, row: Mapping[str, float], message: str | None) -> None:
        """Add a row to metrics.csv, move the bar, and print the message if there is one."""
        _add_row(self.csv, row)
        self.writer.flush()
        self.bar.update(self.task, completed=int(row["epoch"]))
        if message:
            self.say(message)

    def say(self, message: str) -> None:
        """One line on the terminal."""
        self.console.print(message, highlight=False, soft_wrap=True)


def read_metrics(path: Path) -> list[dict[str, str]]:
    """Rows of a metrics.csv; none where there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _add_row(path: Path, row: Mapping[str, Any]) -> None:
    """The file with one row more, written anew: a kill leaves the old one whole, and late columns
    get their place."""
    _write_rows(path, [*read_metrics(path), {key: _format(value) for key, value in row.items()}])


def _write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    names = list(dict.fromkeys(name for each in rows for name in each))
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
    """Forget rows of epochs (numbered from 1) after the first `epoch`: they are trained again after
    a break."""
    rows = read_metrics(path)
    kept = [row for row in rows if int(row["epoch"]) <= epoch]
    if len(kept) < len(rows):
        _write_rows(path, kept)
