"""What the stages of detection in an image take: they overlap, so each is timed by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

STAGES = {
    "reading": "tiles, by the threads that read ahead",
    "waiting": "for tiles that are not read yet",
    "network": "on tiles, with suppression in each on a CPU",
    "merging": "of what tiles report",
    "writing": "of the files",
}
"""The stages by name. Waiting and network follow each other; the others run beside them."""


class StageTimes:
    """Seconds of the clock that each of STAGES took; threads that work at once add up."""

    def __init__(self) -> None:
        self._seconds = dict.fromkeys(STAGES, 0.0)
        self._lock = threading.Lock()

    def __getitem__(self, stage: str) -> float:
        return self._seconds[stage]

    def __getstate__(self) -> dict[str, float]:
        return dict(self._seconds)

    def __setstate__(self, seconds: dict[str, float]) -> None:
        self._seconds, self._lock = seconds, threading.Lock()

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Add the time in `with` to a stage."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            taken = time.perf_counter() - begun
            with self._lock:
                self._seconds[stage] += taken
