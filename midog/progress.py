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
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

Move = Callable[[int, int], None]
"""Called with what is done and what there is in all."""


def make_progress(console: Console | None = None) -> Progress:
    """The house's bar: what, how far, how long; gone when done, silent where stderr is no
    terminal."""
    console = console or Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)


@contextmanager
def bar(title: str) -> Iterator[Move]:
    """One bar; gives the function that moves it."""
    with make_progress() as progress:
        task = progress.add_task(title, total=None)

        def move(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield move


@contextmanager
def infer_bars(images: int) -> Iterator[tuple[Callable[[str, int | None], None], Move]]:
    """A bar of images and one of the tiles of the image under way; gives the functions that move
    them."""
    with make_progress() as progress:
        whole = progress.add_task("images", total=images)
        part = progress.add_task("tiles", total=None)

        def on_image(name: str, figures: int | None) -> None:
            progress.advance(whole)
            progress.reset(part, total=None)

        def on_tile(done: int, total: int) -> None:
            progress.update(part, completed=done, total=total)

        yield on_image, on_tile


@contextmanager
def transfer_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar of bytes per file; gives the function (name, bytes here, bytes in all or 0) that moves
    it."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(
        *columns, console=console, disable=not console.is_terminal, transient=True
    ) as progress:
        tasks: dict[str, TaskID] = {}

        def move(name: str, here: int, total: int) -> None:
            if name not in tasks:
                for task in tasks.values():
                    progress.remove_task(task)
                tasks.clear()
                tasks[name] = progress.add_task(name, total=None)
            progress.update(tasks[name], completed=here, total=total or None)

        yield move
