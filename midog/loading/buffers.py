"""Memory for batches that is used over and over: new memory for each batch would cost more than
copying the patches."""

from __future__ import annotations

import torch
from torch import Tensor

BufferKind = tuple[int, tuple[int, ...], torch.device | None]
"""Slots, shape of one slot, and the device that reads them."""


class Buffers:
    """Slots for uint8 images, used in turn, pinned where they go to a CUDA device.

    The rule: what a slot holds belongs to its reader from the time it is handed out until the
    reader requests the next one (`release`). A CUDA device may then still have to read it: what was
    enqueued on the reader's current stream by then is waited for, by the thread that wants to write
    (`slot`), never by the reader.

    Args:
        slots: How many batches they hold at once.
        shape: Of a slot.
        device: That reads them; None: the CPU.
    """

    def __init__(
        self, slots: int, shape: tuple[int, ...], device: torch.device | None = None
    ) -> None:
        self.kind: BufferKind = (slots, shape, device)
        self._cuda = _is_cuda(device)
        self._slots = torch.empty((slots, *shape), dtype=torch.uint8, pin_memory=self._cuda)
        self._read: list[torch.cuda.Event | None] = [None] * slots

    def slot(self, number: int) -> Tensor:
        """Return the memory of the batch of that number, once what it held has been read."""
        place = number % len(self._read)
        event, self._read[place] = self._read[place], None
        if event is not None:
            event.synchronize()
        return self._slots[place]

    def release(self, number: int) -> None:
        """Note that the reader has requested the batch after that number."""
        if self._cuda and self._read:
            self._read[number % len(self._read)] = torch.cuda.current_stream(
                self.kind[2]
            ).record_event()


class BufferPool:
    """Buffers between one pass over a source and the next."""

    def __init__(self) -> None:
        self._idle: dict[BufferKind, list[Buffers]] = {}

    def take(
        self, slots: int, shape: tuple[int, ...], device: torch.device | None = None
    ) -> Buffers:
        """Return idle buffers of a kind, or new ones."""
        idle = self._idle.get((slots, shape, device))
        return idle.pop() if idle else Buffers(slots, shape, device)

    def put_back(self, buffers: Buffers) -> None:
        """Keep buffers for the next pass; nobody may read them any more."""
        self._idle.setdefault(buffers.kind, []).append(buffers)


def pinned(values: Tensor, device: torch.device | None) -> Tensor:
    """Return values on the CPU that the device can copy without anybody waiting."""
    return values.pin_memory() if _is_cuda(device) else values


def _is_cuda(device: torch.device | None) -> bool:
    return device is not None and device.type == "cuda"
