"""The detector's backend: what runs the network on tiles, and how many of them at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from midog.augment.on_device import to_float
from midog.devices import copies_alone, has_bf16, is_out_of_memory, machine_memory
from midog.errors import DeviceError
from midog.models.protocol import Candidates, DetectionNetwork

_BYTES_PER_PX = 600
"""Bytes that a float32 network takes per pixel it sees, at the most and with room to spare."""


def pick_precision(name: str, device: torch.device) -> str:
    """Settle a precision.

    Args:
        name: '32-true', 'bf16' or 'auto': bf16 where the device computes it in hardware.
        device: where the network runs.

    Returns:
        '32-true' or 'bf16'.
    """
    if name != "auto":
        return name
    return "bf16" if has_bf16(device) else "32-true"


def pixels_per_step(device: torch.device) -> int:
    """Most px that a network sees at a time, so that a device is busy and its memory suffices.

    It depends on the whole memory, not on what is free, so that results repeat. On a CPU a larger
    step is no faster, and less of it stays in the caches; a GPU needs much work at a time.
    """
    most = 1536**2 if device.type == "cpu" else 8 * 2048**2
    return min(most, max(_total_memory(device) // 4 // _BYTES_PER_PX, 512**2))


class Backend(Protocol):
    """What runs a network for the Detector; torch does today, another runtime can."""

    def start(self, images: Tensor, floor: float) -> Callable[[], Candidates]:
        """Start on tiles without waiting for the result.

        Args:
            images: (B, S, S, 3) uint8 RGB, in the host's memory.
            floor: candidates need a score over this, in [0, 1].

        Returns:
            A function for any thread, which waits for the result and gives it in the host's memory,
            float32, in px of the tiles.

        Raises:
            Exception: where memory runs out one that `is_out_of_memory` recognises.
        """
        ...

    def pixels_per_step(self) -> int:
        """Most px to start on at a time, as the network sees them: its tiles' count times area."""
        ...


class TorchBackend:
    """A copy of a network as it is now, on a device; later changes of the network do not matter.

    Args:
        network: the network; it is left as it is.
        device: where the copy runs.
        precision: '32-true' or 'bf16', see `pick_precision`.
    """

    def __init__(self, network: DetectionNetwork, device: torch.device, precision: str) -> None:
        self._device = device
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self._network = network.for_detection(dtype).to(device)

    def start(self, images: Tensor, floor: float) -> Callable[[], Candidates]:
        """Start on tiles; see `Backend.start`."""
        with torch.inference_mode():
            shown = to_float(images.to(self._device, non_blocking=copies_alone(self._device)))
            candidates = self._network.candidates(shown, floor)
            if self._device.type != "cuda":
                host = Candidates(*(column.cpu() for column in candidates))
                return lambda: host
            copied = Candidates(*(_to_pinned(column) for column in candidates))
            done: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]
            done.record(torch.cuda.current_stream(self._device))

        def wait() -> Candidates:
            done.synchronize()
            return copied

        return wait

    def pixels_per_step(self) -> int:
        """Most px at a time; see `Backend.pixels_per_step`."""
        return pixels_per_step(self._device)


def out_of_memory(
    backend: Backend, device: torch.device, batch_size: int, tile: int, overlap: int
) -> DeviceError:
    """The error that names the number of tiles, else their side, that memory bears.

    Args:
        backend: what ran out of memory.
        device: where it runs.
        batch_size: tiles at a time with which it did.
        tile: their side, px.
        overlap: of neighbouring tiles, px.
    """
    what = f"{device} is out of memory with {batch_size} tiles of {tile} px at a time"
    if fits := _fitting_batch(backend, device, batch_size, tile):
        return DeviceError(what, settings={"inference.batch_size": fits})
    smaller = tile // 64 * 32
    if smaller >= max(64, 2 * overlap):
        return DeviceError(what, settings={"inference.tile": smaller})
    if device.type == "cpu":
        return DeviceError(what, "close other programs")
    return DeviceError(what, settings={"device": "cpu"})


def _fitting_batch(backend: Backend, device: torch.device, batch_size: int, tile: int) -> int:
    """The first half, quarter, … of a batch size that memory bears; 0 where none does."""
    while batch_size := batch_size // 2:
        if device.type == "cuda":
            torch.cuda.empty_cache()
        white = torch.full((batch_size, tile, tile, 3), 255, dtype=torch.uint8)
        try:
            backend.start(white, floor=0.5)()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        else:
            return batch_size
    return 0


def _to_pinned(column: Tensor) -> Tensor:
    return torch.empty(column.shape, dtype=column.dtype, pin_memory=True).copy_(
        column, non_blocking=True
    )


def _total_memory(device: torch.device) -> int:
    """Bytes of the device's memory, free or not; MPS shares the machine's."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return machine_memory()
