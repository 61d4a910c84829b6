"""The network on patches: ours against torchvision's RetinaNet as shipped."""

from __future__ import annotations

import torch

from benchmarks.baselines.torchvision_network import (
    AS_SHIPPED,
    SHIPPED_PX,
    shipped,
    torchvision_gflop,
)
from benchmarks.comparisons.compared import Compared, compare
from midog.augment.on_device import to_float
from midog.bench.conditions import Conditions
from midog.bench.forward import detect_in, forward_row, median_ms, random_patches
from midog.bench.network_cost import kernels_and_waits
from midog.bench.timing import fits, take_turns
from midog.models.build import build_model, num_classes


def compare_forward(conditions: Conditions) -> Compared:
    """Patches per second of each config, detections included."""
    device, rounds, config = conditions.device, conditions.rounds, conditions.config
    conditions.say(f"forward: {conditions.batch} x {config.sampling.patch_size} px")
    images = random_patches(conditions)
    plain = shipped(config.model.backbone.kind, num_classes(config.sampling)).eval().to(device)
    listed = list(to_float(images).contiguous())
    with torch.inference_mode():
        runs = {
            name: detect_in(
                build_model(other, pretrained=False), other.model, other.inference, images
            )
            for name, other in conditions.configs.items()
        }
        runs["plain"] = lambda: plain(listed)
        taken = take_turns(runs, rounds=rounds, device=device, warm_up=rounds > 1)
        counts = {
            name: kernels_and_waits(run, device) if fits(taken[name]) else {}
            for name, run in runs.items()
        }
    plain_cost = {
        "gflop": torchvision_gflop(plain, SHIPPED_PX),
        **counts["plain"],
        "ms": median_ms(taken["plain"]),
    }
    rows = []
    for name in conditions.configs:
        what, limit, detail = forward_row(conditions, name, taken[name], counts[name])
        rows.append(
            compare(
                what,
                AS_SHIPPED,
                "patches/s",
                conditions.batch / taken[name],
                conditions.batch / taken["plain"],
                limit=limit,
                detail={**detail, "plain": plain_cost},
            )
        )
    return rows[0].with_also(*rows[1:])
