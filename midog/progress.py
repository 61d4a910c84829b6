"""Progress bars on stderr, so that a pipe carries results alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from midog.errors import clean

OnStep = Callable[[int, int], None]
"""Called after each step of a piece of work with the steps done and the steps in all."""

OnImage = Callable[[str, int | None], None]
"""Called after each image with its name and its figures, None if it was skipped or failed."""

OnBytes = Callable[[str, int, int], None]
"""Called during a transfer with the name of a file, its bytes so far, and in all (0: unknown)."""


def step_bars(console: Console | None = None) -> Progress:
    """Return bars that count steps and estimate the time left.

    They vanish when they are done, and are silent if the console is no terminal.

    Args:
        console: Where to draw them; None: stderr.
    """
    return _bars(console or Console(stderr=True), MofNCompleteColumn(), TimeRemainingColumn())


@contextmanager
def bar(title: str) -> Iterator[OnStep]:
    """Show one bar; yield the function that moves it."""
    with step_bars() as bars:
        task = bars.add_task(title, total=None)

        def on_step(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        yield on_step


@contextmanager
def infer_bars(images: int, *, tiles: bool = True) -> Iterator[tuple[OnImage, OnStep]]:
    """Show a bar of images and one of the tiles of one; yield the functions that move them.

    Args:
        images: How many there are.
        tiles: Whether there is the second one.
    """
    with step_bars() as bars:
        all_images = bars.add_task("images", total=images)
        of_one = bars.add_task("tiles", total=None, visible=tiles)

        def on_image(name: str, figures: int | None) -> None:
            bars.advance(all_images)
            bars.reset(of_one, total=None, visible=tiles)

        def on_tile(done: int, total: int) -> None:
            bars.update(of_one, completed=done, total=total)

        yield on_image, on_tile


@contextmanager
def transfer_bar() -> Iterator[OnBytes]:
    """Show a bar of the bytes of the present file; yield the function that moves it."""
    with _bars(Console(stderr=True), DownloadColumn(), TransferSpeedColumn()) as bars:
        tasks: dict[str, TaskID] = {}

        def on_bytes(name: str, here: int, total: int) -> None:
            if name not in tasks:
                for task in tasks.values():
                    bars.remove_task(task)
                tasks.clear()
                tasks[name] = bars.add_task(clean(name, 40), total=None)
            bars.update(tasks[name], completed=here, total=total or None)

        yield on_bytes


def _bars(console: Console, *columns: ProgressColumn) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *columns,
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
