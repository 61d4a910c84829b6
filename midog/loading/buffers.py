"""Batches of bytes that are used over and over: new memory for each would cost more than the
patches' copying."""

from __future__ import annotations

import torch
from torch import Tensor

RingKind = tuple[int, tuple[int, ...], torch.device | None]
"""Slots, shape of one slot, and the device that it is to be read from."""


class Ring:
    """Slots for images, used in turn, pinned where they go to a CUDA device.

    The rule: what a slot holds is its reader's from the time it is handed out until the reader asks
    for the next one (`release`). A CUDA device may then still have to read it: what was enqueued on
    the reader's current stream by then is waited for, by the thread that wants to write (`slot`),
    never by the reader.
    """

    def __init__(
        self, slots: int, shape: tuple[int, ...], device: torch.device | None = None
    ) -> None:
        self.kind: RingKind = (slots, shape, device)
        self._cuda = device is not None and device.type == "cuda"
        self._slots = torch.empty((slots, *shape), dtype=torch.uint8, pin_memory=self._cuda)
        self._read: list[torch.cuda.Event | None] = [None] * slots

    def pinned(self, values: Tensor) -> Tensor:
        """Values on the CPU, of which a CUDA device can have a copy without anybody waiting."""
        return values.pin_memory() if self._cuda else values

    def slot(self, number: int) -> Tensor:
        """The memory of the batch of that number, when nothing of the batch before is still to be
        read from it."""
        place = number % len(self._read)
        event, self._read[place] = self._read[place], None
        if event is not None:
            event.synchronize()
        return self._slots[place]

    def release(self, number: int) -> None:
        """The reader has asked for the batch after that number."""
        if self._cuda and self._read:
            self._read[number % len(self._read)] = torch.cuda.current_stream(
                self.kind[2]
            ).record_event()
