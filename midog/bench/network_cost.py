"""The cost of a network, counted and not timed: float operations, on a GPU kernels and waits."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from midog.bench.timing import synchronize
from midog.config.schema import RunConfig

_WAITS = ("cudaStreamSynchronize", "cudaEventSynchronize")
_NO_KERNELS = ("Memcpy", "Memset")


def gflop_of(network: nn.Module, side: int, *, backward: bool = False) -> float:
    """Count the float operations of one image through `backbone` and `head`; nothing is computed.

    Args:
        network: Ours, or one of torchvision's detectors.
        side: Of the image as the layers see it, px.
        backward: Add those of the gradients.

    Returns:
        1e9 operations; a product and a sum are two.
    """
    on_paper: Any = copy.deepcopy(network).to("meta")
    images = torch.empty(1, 3, side, side, device="meta")
    with FlopCounterMode(display=False) as counter:
        features = on_paper.backbone(images)
        maps = list(features.values()) if isinstance(features, Mapping) else features
        outputs: dict[str, Tensor] = on_paper.head(maps)
        if backward:
            torch.stack([output.sum() for output in outputs.values()]).sum().backward()  # type: ignore[no-untyped-call]
    return float(counter.get_total_flops() / 1e9)


def shown_px(config: RunConfig) -> int:
    """The side at which our network sees a training patch, px."""
    return config.model.resize or config.sampling.patch_size


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
