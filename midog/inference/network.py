"""The network as detection runs it: folded, in the precision asked for, for as many px at a time as
memory bears."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from midog.augment.on_device import to_float
from midog.devices import copies_alone, has_bf16, machine_memory
from midog.models.batchnorm_folding import for_detection
from midog.models.postprocess import Candidates

_GIB = 1 << 30
_BYTES_PER_PX = 600
"""What a network of float32 takes at the most for each pixel that it is shown, with room to
spare."""


def pick_precision(name: str, device: torch.device) -> str:
    """'32-true' or 'bf16', of these or auto: bf16 where the device computes it in hardware."""
    if name != "auto":
        return name
    return "bf16" if has_bf16(device) else "32-true"


def pixels_per_step(device: torch.device) -> int:
    """Most px to show at a time; it depends on the whole memory, not on what is free, so that
    results repeat.

    On a CPU a larger step is no quicker, and less of it stays in the caches; a GPU wants much to do
    at a time.
    """
    most = 1536**2 if device.type == "cpu" else 8 * 2048**2
    return min(most, max(_total_memory(device) // 4 // _BYTES_PER_PX, 512**2))


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether CUDA, MPS or the CPU had no memory left: each says it in its own way."""
    text = str(error)
    return (
        isinstance(error, torch.OutOfMemoryError)
        or "out of memory" in text
        or "can't allocate memory" in text
    )


class Network:
    """A copy of `model` as it is now, on `device`; what becomes of `model` later does not matter to
    it.

    model: `candidates(images (B, 3, H, W) float32 in [0, 1], floor)` gives Candidates.
    """

    def __init__(self, model: nn.Module, device: torch.device, precision: str) -> None:
        self.device = device
        self.model: Any = for_detection(
            model, torch.bfloat16 if precision == "bf16" else torch.float32
        ).to(device)

    def start(self, images: Tensor, floor: float) -> Callable[[], Candidates]:
        """Show it images (B, H, W, 3) uint8; what is returned, which any thread may call, waits for
        the result."""
        with torch.inference_mode():
            shown = to_float(images.to(self.device, non_blocking=copies_alone(self.device)))
            found: Candidates = self.model.candidates(shown, floor)
            if self.device.type != "cuda":
                host = Candidates(*(column.cpu() for column in found))
                return lambda: host
            copied = Candidates(*(_to_pinned(column) for column in found))
            done: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]
            done.record(torch.cuda.current_stream(self.device))

        def wait() -> Candidates:
            done.synchronize()
            return copied

        return wait


def _to_pinned(column: Tensor) -> Tensor:
    return torch.empty(column.shape, dtype=column.dtype, pin_memory=True).copy_(
        column, non_blocking=True
    )


def _total_memory(device: torch.device) -> int:
    """Bytes of the device's memory, free or not; MPS shares the machine's."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return machine_memory()
