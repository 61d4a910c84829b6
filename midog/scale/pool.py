"""Images that a pool of workers does: who does which, and what becomes of a lost worker's."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from midog.errors import ImageError, MidogError
from midog.inference.outcome import Outcome
from midog.progress import OnImage
from midog.scale.worker import Report

logger = logging.getLogger(__name__)

MOST_LOSSES = 3
"""An image whose worker was lost that often is given up: it may be what ends them."""
MOST_LOST_STARTS = 5
"""As many workers that are lost before they are ready end the work, if none is between them."""

_WAIT_S = 1.0
_LATE_S = 60.0


@dataclass(frozen=True)
class Event:
    """A worker answered; report is None where it is lost, with its node or alone."""

    worker: int
    report: Report | None


class Cluster(Protocol):
    """What starts workers and speaks to them. A worker has one thing to answer at a time."""

    def capacity(self) -> int:
        """How many workers the cluster has room for now."""
        ...

    def start(self) -> int:
        """Begin a worker and return its number; it answers when it is ready."""
        ...

    def ask(self, worker: int, image: int | None) -> None:
        """Tell a worker to do an image; None: only to answer."""
        ...

    def wait(self, seconds: float) -> list[Event]:
        """Wait at most so long for answers."""
        ...

    def end(self, worker: int) -> None:
        """End a worker, if it still lives."""
        ...


def do_all(cluster: Cluster, names: Sequence[str], on_image: OnImage | None = None) -> Outcome:
    """Have every image done once.

    An image whose worker is lost is done by another one. Workers are started for nodes that join
    later, or in place of those that were lost.

    Args:
        cluster: Where.
        names: Of the images (`Job.name`); they are done in that order, several at once.
        on_image: Called after each image.

    Returns:
        What became of them, in their order.

    Raises:
        MidogError: What a worker reports that ends all work, such as no memory on its device; or
            if workers are lost again and again before they are ready.
    """
    pool = _Pool(cluster, names, on_image)
    while pool.left:
        pool.step()
    return Outcome.joined(pool.parts, names)


class _Pool:
    """The state of the work: images that wait or are being done, workers that start or idle."""

    def __init__(self, cluster: Cluster, names: Sequence[str], on_image: OnImage | None) -> None:
        self.parts: list[Outcome] = []
        self._cluster, self._names, self._on_image = cluster, names, on_image
        self._waiting = deque(range(len(names)))
        self._doing: dict[int, int] = {}
        self._starting: set[int] = set()
        self._idle: set[int] = set()
        self._checked: set[int] = set()
        self._losses: Counter[int] = Counter()
        self._lost_starts = 0
        self._late = time.monotonic() + _LATE_S

    @property
    def left(self) -> int:
        """Images that are not done."""
        return len(self._waiting) + len(self._doing)

    def step(self) -> None:
        """Start workers that there is room for, hand out images, and take what is answered."""
        workers = sum(map(len, (self._doing, self._starting, self._idle, self._checked)))
        for _ in range(workers, min(self._cluster.capacity(), self.left)):
            self._starting.add(self._cluster.start())
        while self._idle and len(self._waiting) > len(self._checked):
            worker = self._idle.pop()  # its node may be lost since it answered
            self._checked.add(worker)
            self._cluster.ask(worker, None)
        for event in self._cluster.wait(_WAIT_S):
            self._take(event.worker, event.report)
        if time.monotonic() > self._late and not (self._doing or self.parts):
            self._late = float("inf")
            logger.warning(
                "no worker is ready after %d s: others may use the cluster (`ray status` tells)",
                _LATE_S,
            )

    def _take(self, worker: int, report: Report | None) -> None:
        if report is None:
            self._lose(worker)
            return
        for level, line in report.lines:
            logger.log(level, "%s", line)
        if report.error is not None:
            raise report.error
        if worker in self._doing:
            assert report.outcome is not None
            self._note(self._doing.pop(worker), report.outcome)
        self._starting.discard(worker)
        self._checked.discard(worker)
        self._lost_starts = 0
        if self._waiting:
            self._doing[worker] = self._waiting.popleft()
            self._cluster.ask(worker, self._doing[worker])
        else:
            self._idle.add(worker)

    def _lose(self, worker: int) -> None:
        self._cluster.end(worker)
        self._checked.discard(worker)
        if worker in self._starting:
            self._starting.remove(worker)
            self._lost_starts += 1
            if self._lost_starts == MOST_LOST_STARTS:
                raise MidogError(
                    f"{MOST_LOST_STARTS} workers ended before they were ready",
                    "look into Ray's logs, /tmp/ray/session_latest/logs, on the nodes",
                )
        if worker not in self._doing:
            return
        image = self._doing.pop(worker)
        name = self._names[image]
        self._losses[image] += 1
        if self._losses[image] < MOST_LOSSES:
            logger.warning("a worker was lost with %s, which another one does", name)
            self._waiting.appendleft(image)
            return
        what = f"{name}: {MOST_LOSSES} workers ended while they did it"
        fix = "detect in it alone to see why, or leave it out"
        self._note(image, Outcome(failed={name: ImageError(what, fix)}))

    def _note(self, image: int, outcome: Outcome) -> None:
        self.parts.append(outcome)
        if self._on_image is not None:
            name = self._names[image]
            self._on_image(name, outcome.figures.get(name))
