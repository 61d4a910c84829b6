"""What a network costs, counted and not timed: float operations, and on a GPU kernels and waits."""

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
    """1e9 float operations of one image of side x side px through `backbone` and `head`, a product
    and a sum as two.

    backward: with those of the gradients. Nothing is computed: shapes alone are followed.
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
    """The side that our network sees a training patch with."""
    return config.model.resize or config.sampling.patch_size


def kernels_and_waits(run: Callable[[], object], device: torch.device) -> dict[str, int]:
    """What one call sets going on a GPU and how often it waits for it, by the profiler; nothing on
    other devices."""
    if device.type != "cuda":
        return {}
    run()
    synchronize(device)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        run()
    events = profiler.events() or ()
    # what torch names on the GPU's own track (an optimizer's step, say) stands there beside its
    # kernels
    named = (event for event in events if not getattr(event, "is_user_annotation", False))
    return tally((event.name, event.device_type.name == "CUDA") for event in named)


def peak_memory(device: torch.device) -> dict[str, float]:
    """The most of a GPU's memory, in GiB, that was taken since this was last asked; nothing on
    other devices."""
    if device.type != "cuda":
        return {}
    peak = torch.cuda.max_memory_allocated(device) / 2**30
    torch.cuda.reset_peak_memory_stats(device)
    return {"peak_gib": peak}


def tally(events: Iterable[tuple[str, bool]]) -> dict[str, int]:
    """Kernels and waits among events, each a name and whether it ran on the GPU."""
    kernels = waits = 0
    for name, on_gpu in events:
        kernels += on_gpu and not name.startswith(_NO_KERNELS)
        waits += not on_gpu and name in _WAITS
    return {"kernels": kernels, "waits": waits}
