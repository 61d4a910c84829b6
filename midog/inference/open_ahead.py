"""Images opened one ahead of the work, on a thread of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol, TypeVar

Given = TypeVar("Given")


class Closable(Protocol):
    """What is closed if nobody takes it."""

    def close(self) -> None: ...


Opened = TypeVar("Opened", bound=Closable)


def open_ahead(
    jobs: Iterable[Given], open_one: Callable[[Given], Opened | None]
) -> Generator[tuple[Given, Future[Opened | None]]]:
    """Yield each job and what is opened for it; meanwhile the next one is opened.

    Args:
        jobs: In their order.
        open_one: Called on another thread; what it raises is raised by the future. What was opened
            and is not yielded, as the generator is closed early, is closed.
    """
    ahead: deque[tuple[Given, Future[Opened | None]]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="midog-open") as opener:
        try:
            for job in jobs:
                ahead.append((job, opener.submit(open_one, job)))
                if len(ahead) > 1:
                    yield ahead.popleft()
            while ahead:
                yield ahead.popleft()
        finally:
            for _, opening in ahead:
                with suppress(Exception):
                    if opened := opening.result():
                        opened.close()
