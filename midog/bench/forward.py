"""The network forward, detections included: ours against torchvision's RetinaNet as shipped, on the
same patches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from midog.augment.on_device import to_float
from midog.bench.counting import gflop_of, kernels_and_waits, shown_px
from midog.bench.plain_network import SHIPPED_PX, shipped
from midog.bench.plan import Plan
from midog.bench.result import Compared, compare
from midog.bench.timing import Seconds, take_turns
from midog.config.schema import RunConfig
from midog.inference.network import TorchBackend, pick_precision
from midog.models.build import build_model, num_classes
from midog.models.postprocess import suppress


def forward_stage(plan: Plan) -> Compared:
    """Patches a second of each config, the first one's figures first."""
    side, device = plan.config.sampling.patch_size, plan.device
    plan.say(f"forward: {plan.batch} x {side} px")
    torch.manual_seed(0)
    images = torch.randint(0, 256, (plan.batch, side, side, 3), dtype=torch.uint8, device=device)
    plain = (
        shipped(plan.config.model.backbone.kind, num_classes(plan.config.sampling))
        .eval()
        .to(device)
    )
    listed = list(to_float(images).contiguous())
    with torch.inference_mode():
        things = {name: detect_in(config, images) for name, config in plan.configs.items()}
        things["plain"] = lambda: plain(listed)
        taken = take_turns(things, rounds=plan.rounds, device=device, warm_up=plan.rounds > 1)
        counts = {name: kernels_and_waits(run, device) for name, run in things.items()}
    plain_cost = {
        "gflop": gflop_of(plain, SHIPPED_PX),
        **counts["plain"],
        "ms": _median_ms(taken["plain"]),
    }
    results = []
    for name, config in plan.configs.items():
        precision = best_precision(device, config.inference.precision)
        gflop = gflop_of(build_model(config, pretrained=False), shown_px(config))
        results.append(
            compare(
                f"{name}: forward, {plan.batch} x {side} px, {precision}",
                f"torchvision as shipped (resized to {SHIPPED_PX}, float32)",
                "patches/s",
                plan.batch / taken[name],
                plan.batch / taken["plain"],
                limit=plan.conv_limit(precision, gflop),
                detail={
                    "gflop": gflop,
                    **counts[name],
                    "ms": _median_ms(taken[name]),
                    "plain": plain_cost,
                },
            )
        )
    return results[0].with_also(*results[1:])


def detect_in(config: RunConfig, images: Tensor) -> Callable[[], object]:
    """A function that detects in images (B, S, S, 3) uint8 as `midog infer` does, with random
    weights."""
    model, settings = build_model(config, pretrained=False), config.inference
    network = TorchBackend(model, images.device, pick_precision(settings.precision, images.device))

    def run() -> object:
        return suppress(
            network.start(images, settings.floor)(),
            config.model.nms_iou,
            config.model.max_detections,
        )

    return run


def best_precision(device: torch.device, asked: str) -> str:
    """What a config's precision comes to here, as machine.Machine names it; a GPU takes tf32 for
    float32."""
    if pick_precision(asked, device).startswith("bf16"):
        return "bfloat16"
    return "tf32" if device.type == "cuda" else "float32"


def _median_ms(seconds: Seconds) -> float:
    return 1000 * float(np.median(seconds))
