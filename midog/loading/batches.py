"""Loader: the batches of a source, made ahead by threads and shared out over ranks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, cast

import torch
from torch import Tensor

from midog.devices import machine_memory
from midog.errors import ConfigError
from midog.loading.buffers import BufferPool, Buffers, pinned
from midog.loading.source import Batch, LocationT, Source, TargetsT

_BYTES_PER_PX = 400
"""Of a training step of the least network, float32."""


@dataclass(frozen=True, eq=False)
class Loader(Generic[LocationT, TargetsT]):
    """Batches of a source, epoch after epoch; they are the same for any number of workers.

    Args:
        source: What batches are made of.
        batch_size: Patches per rank and step.
        workers: Threads that make batches ahead of the reader; 0: the reader makes them.
        seed: Of all draws.
        device: Where batches are going; None: they stay on the CPU.
        fill: Fill the last batch of an epoch up with draws beyond its end, so that every update is
            of as many patches, however many ranks take them; else it is smaller.
        pool: Memory between one pass and the next.
    """

    source: Source[LocationT, TargetsT]
    batch_size: int
    workers: int
    seed: int
    device: torch.device | None = None
    fill: bool = False
    pool: BufferPool = field(default_factory=BufferPool)

    def steps(self, world: int = 1) -> int:
        """Return the number of steps of an epoch on `world` ranks."""
        return -(-len(self.source) // (self.batch_size * world))

    def indices(self, step: int, rank: int = 0, world: int = 1) -> list[int]:
        """Return the draws that a rank takes at a step; see `rank_indices`."""
        total = len(self.source)
        if self.fill:
            total = self.steps(world) * self.batch_size * world
        return rank_indices(total, self.batch_size, step, rank, world)

    def locations(self, epoch: int, step: int, *, rank: int = 0, world: int = 1) -> list[LocationT]:
        """Return the locations of a batch, in order."""
        return self.source.locations(self.seed, epoch)(self.indices(step, rank, world))

    def batches(
        self, epoch: int = 0, *, start: int = 0, rank: int = 0, world: int = 1
    ) -> Generator[Batch[TargetsT], None, None]:
        """Yield the batches of an epoch from step `start` on, those of rank `rank` of `world`."""
        # in use at once: the batch that is read, and the two of each thread that are made or wait
        slots = 2 * self.workers + 1
        buffers = [
            self.pool.take(slots, (self.batch_size, *shape), self.device)
            for shape in self.source.view_shapes
        ]
        locations = self.source.locations(self.seed, epoch)

        def make(step: int) -> Batch[TargetsT]:
            indices = self.indices(step, rank, world)
            out = [own.slot(step)[: len(indices)] for own in buffers]
            return self._make(epoch, indices, locations(indices), out)

        with self.source.cutting():
            yield from _ahead(make, range(start, self.steps(world)), self.workers, buffers)
        for own in buffers:  # not where the reader stopped early: it may still read its last batch
            self.pool.put_back(own)

    def _make(
        self, epoch: int, indices: list[int], locations: list[LocationT], out: list[Tensor]
    ) -> Batch[TargetsT]:
        """The batch of some draws, its views in `out`; from any thread."""
        pin = partial(pinned, device=self.device)
        augmentation = self.source.augmentation(self.seed, epoch, indices, locations)
        targets = self.source.targets(locations, augmentation)
        # what is enqueued by this thread on the device's default stream comes before whatever the
        # reader does there
        views, left = self.source.pixels(locations, augmentation, out)
        moved = {name: pin(cast(Tensor, values)) for name, values in targets.items()}
        return Batch(views, cast(TargetsT, moved), indices, left and left.moved(pin))


def require_memory(
    batch_size: int, side: int, workers: int, device: torch.device, memory: int | None = None
) -> None:
    """Refuse batches that this machine can never hold, before anything is made for them.

    Args:
        batch_size: Patches of a step.
        side: Of a patch, px.
        workers: Threads that make batches ahead, two each.
        device: Of the network; on a CPU it takes its share of the same memory.
        memory: Bytes of the machine; None: as it is.

    Raises:
        ConfigError: The batches, or on a CPU a step on one of them, take more than there is.
    """
    memory = machine_memory() if memory is None else memory
    area = batch_size * side**2
    needed = (2 * workers + 1) * 3 * area + (_BYTES_PER_PX * area if device.type == "cpu" else 0)
    if needed > memory:
        most = max(1, batch_size * memory // (2 * needed))
        raise ConfigError(
            f"train.batch_size={batch_size} of patches of {side} px takes at least"
            f" {needed / 2**30:.0f} GiB, and this machine has {memory / 2**30:.0f}",
            "use a smaller {sampling.patch_size}, or {train.batch_size}",
            {"sampling.patch_size": None, "train.batch_size": most},
        )


def rank_indices(total: int, batch_size: int, step: int, rank: int, world: int) -> list[int]:
    """Return the draws that a rank takes at a step.

    Together the ranks take `batch_size * world` draws in a row. In the last step a rank that would
    be left without one repeats the step's first, so that no rank waits for ever.

    Args:
        total: Draws in an epoch.
        batch_size: Draws per rank and step.
        step, rank, world: Step and rank, from 0, and the number of ranks.
    """
    whole = range(step * batch_size * world, min((step + 1) * batch_size * world, total))
    return list(whole[rank::world]) or [whole[0]]


def _ahead(
    make: Callable[[int], Batch[TargetsT]], steps: range, workers: int, buffers: list[Buffers]
) -> Iterator[Batch[TargetsT]]:
    """make(step) for each step, in order; `workers` threads work up to two batches each ahead of
    the reader."""

    def release(step: int) -> None:
        for own in buffers:
            own.release(step)

    if workers == 0:
        for step in steps:
            yield make(step)
            release(step)
        return
    pool = ThreadPoolExecutor(workers)
    try:
        waiting: deque[Future[Batch[TargetsT]]] = deque(
            pool.submit(make, step) for step in steps[: 2 * workers + 1]
        )
        for step in steps:
            yield waiting.popleft().result()
            release(step)
            if step + 2 * workers + 1 < steps.stop:
                waiting.append(pool.submit(make, step + 2 * workers + 1))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
