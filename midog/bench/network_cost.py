"""The cost of a network, counted and not timed: float operations, on a GPU kernels and waits."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from midog.bench.timing import synchronize
from midog.models.protocol import DetectionNetwork

NetworkT = TypeVar("NetworkT", bound=nn.Module)

_WAITS = ("cudaStreamSynchronize", "cudaEventSynchronize")
_NO_KERNELS = ("Memcpy", "Memset")


def gflop_of(network: DetectionNetwork, side: int, *, backward: bool = False) -> float:
    """Count the float operations of a network on one image.

    Args:
        network: Left as it is.
        side: Of the image, px, before the network magnifies it.
        backward: Add those of the gradients.

    Returns:
        1e9 operations; a product and a sum are two.
    """

    def run(network: DetectionNetwork, images: Tensor) -> Sequence[Tensor]:
        candidates = network.candidates(images, 0.5)
        return candidates.boxes, candidates.scores

    return gflop_on_paper(network, run, side, backward=backward)


def gflop_on_paper(
    network: NetworkT,
    run: Callable[[NetworkT, Tensor], Sequence[Tensor]],
    side: int,
    *,
    backward: bool = False,
) -> float:
    """Count the float operations of one image through any network; nothing is computed.

    Args:
        network: Left as it is.
        run: What a copy of the network does with images (1, 3, side, side) on the device "meta".
        side: Of the image, px.
        backward: Add those of the gradients of what `run` returns.

    Returns:
        1e9 operations; a product and a sum are two.
    """
    on_paper = copy.deepcopy(network).to("meta")
    images = torch.empty(1, 3, side, side, device="meta")
    with FlopCounterMode(display=False) as counter:
        outputs = run(on_paper, images)
        if backward:
            total = torch.stack([output.sum() for output in outputs]).sum()
            total.backward()  # type: ignore[no-untyped-call]
    return float(counter.get_total_flops() / 1e9)


def kernels_and_waits(run: Callable[[], object], device: torch.device) -> dict[str, int]:
    """Profile one call: kernels that it starts on a GPU and times that it waits for it.

    Empty on other devices.
    """
    if device.type != "cuda":
        return {}
    run()
    synchronize(device)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        run()
    events = profiler.events() or ()
    # torch's own annotations (of an optimizer's step, say) are on the GPU's track too
    named = (event for event in events if not getattr(event, "is_user_annotation", False))
    return tally((event.name, event.device_type.name == "CUDA") for event in named)


def peak_memory(device: torch.device) -> dict[str, float]:
    """The most of a GPU's memory since the last call, GiB; empty on other devices."""
    if device.type != "cuda":
        return {}
    peak = torch.cuda.max_memory_allocated(device) / 2**30
    torch.cuda.reset_peak_memory_stats(device)
    return {"peak_gib": peak}


def tally(events: Iterable[tuple[str, bool]]) -> dict[str, int]:
    """Count kernels and waits among events, given by name and whether they ran on the GPU."""
    kernels = waits = 0
    for name, on_gpu in events:
        kernels += on_gpu and not name.startswith(_NO_KERNELS)
        waits += not on_gpu and name in _WAITS
    return {"kernels": kernels, "waits": waits}
