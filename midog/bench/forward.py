"""The network on patches, detections included, as `midog infer` runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from midog.bench.conditions import Conditions
from midog.bench.measured import Measured, measured
from midog.bench.network_cost import gflop_of, kernels_and_waits
from midog.bench.timing import Seconds, fits, take_turns
from midog.config.schema import InferenceSettings
from midog.inference.network import TorchBackend, pick_precision
from midog.models.build import build_model
from midog.models.postprocess import suppress
from midog.models.protocol import DetectionNetwork
from midog.models.registry import DetectorSettings


def forward_stage(conditions: Conditions) -> Measured:
    """Measure patches per second of each config."""
    side, device, rounds = (
        conditions.config.sampling.patch_size,
        conditions.device,
        conditions.rounds,
    )
    conditions.say(f"forward: {conditions.batch} x {side} px")
    images = random_patches(conditions)
    with torch.inference_mode():
        runs = {
            name: detect_in(
                build_model(config, pretrained=False), config.model, config.inference, images
            )
            for name, config in conditions.configs.items()
        }
        taken = take_turns(runs, rounds=rounds, device=device, warm_up=rounds > 1)
        counts = {
            name: kernels_and_waits(run, device) if fits(taken[name]) else {}
            for name, run in runs.items()
        }
    rows = []
    for name in conditions.configs:
        what, limit, detail = forward_row(conditions, name, taken[name], counts[name])
        rows.append(
            measured(what, "patches/s", conditions.batch / taken[name], limit=limit, detail=detail)
        )
    return rows[0].with_also(*rows[1:])


def random_patches(conditions: Conditions) -> Tensor:
    """A batch (B, S, S, 3) uint8 on the device."""
    side = conditions.config.sampling.patch_size
    torch.manual_seed(0)
    shape = (conditions.batch, side, side, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, device=conditions.device)


def forward_row(
    conditions: Conditions,
    name: str,
    seconds: Seconds,
    counts: Mapping[str, int],
) -> tuple[str, tuple[str, float], dict[str, Any]]:
    """The words, the limit and the details of a config's forward pass."""
    config = conditions.configs[name]
    precision = best_precision(conditions.device, config.inference.precision)
    gflop = gflop_of(build_model(config, pretrained=False), config.sampling.patch_size)
    side = conditions.config.sampling.patch_size
    return (
        f"{name}: forward, {conditions.batch} x {side} px, {precision}",
        conditions.convolution_limit(precision, gflop),
        {"gflop": gflop, **counts, "ms": median_ms(seconds)},
    )


def detect_in(
    model: DetectionNetwork, limits: DetectorSettings, settings: InferenceSettings, images: Tensor
) -> Callable[[], object]:
    """A function that detects in images (B, S, S, 3) uint8."""
    network = TorchBackend(model, images.device, pick_precision(settings.precision, images.device))

    def run() -> object:
        return suppress(
            network.start(images, settings.floor)(),
            limits.nms_iou,
            limits.max_detections,
        )

    return run


def best_precision(device: torch.device, asked: str) -> str:
    """The name that machine.Machine has for a config's precision; a GPU takes tf32 for float32."""
    if pick_precision(asked, device).startswith("bf16"):
        return "bfloat16"
    return "tf32" if device.type == "cuda" else "float32"


def median_ms(seconds: Seconds) -> float:
    """Median of the rounds, milliseconds."""
    return 1000 * float(np.median(seconds))
