"""All stages, in order, as one tree of plain JSON values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch

from midog.bench.forward import forward_stage
from midog.bench.infer import infer_stage
from midog.bench.machine import look_at_machine
from midog.bench.plain_samples import load_albumentations
from midog.bench.plan import Plan, with_settings
from midog.bench.result import Compared
from midog.bench.samples import samples_stage
from midog.bench.scene import draw_rois, workshop
from midog.bench.steps import step_stage
from midog.bench.sweep import sweep_stage
from midog.config.schema import RunConfig
from midog.data.roi import Roi
from midog.devices import pick_device
from midog.training.tasks.detection_data import of_role, read_training_rois

STAGES: dict[str, Callable[[Plan], Compared]] = {
    "samples": samples_stage,
    "forward": forward_stage,
    "step": step_stage,
    "infer": infer_stage,
    "sweep": sweep_stage,
}
_BATCHES = {"cpu": 1, "cuda": 16, "mps": 4}
_ON_ROIS = ("samples", "step", "infer")


def run_bench(
    stages: Sequence[str],
    configs: Mapping[str, RunConfig],
    *,
    device: str = "auto",
    threads: int | None = None,
    rounds: int = 5,
    batch: int | None = None,
    roi: tuple[int, int] = (7215, 5412),
    detections: int = 100_000,
    own_data: bool = False,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """{"machine": …, and of each stage what `Compared.to_dict` gives}.

    configs: by name, the one that counts first; their weights are random, whatever they name.
    threads: of the CPU, None: as torch takes them. batch: patches of a step, None: 1 on a CPU, 16
    on CUDA.
    roi: width and height of the ROIs that are drawn; own_data: the training ROIs of the first
    config's data instead.
    detections: that are swept.
    Raises ConfigError where albumentations is needed and not there, DeviceError for a device that
    is not there.
    """
    if "samples" in stages:
        load_albumentations()
    where = pick_device(device)
    configs = {
        name: with_settings(config, model={"weights": "none"}) for name, config in configs.items()
    }
    with ExitStack() as stack:
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        if threads is not None:
            torch.set_num_threads(threads)
        folder, batch = stack.enter_context(workshop()), batch or _BATCHES[where.type]
        say("machine: what it can do")
        machine = look_at_machine(where, torch.get_num_threads(), batch=batch)
        rois: list[Roi] = []
        if own_data:
            rois = of_role(read_training_rois(next(iter(configs.values())).data), "train")
        elif set(stages) & set(_ON_ROIS):
            say(f"drawing ROIs of {roi[0]}x{roi[1]} px")
            rois = draw_rois(folder, *roi)
        plan = Plan(
            where,
            machine,
            configs,
            torch.get_num_threads(),
            rounds,
            batch,
            detections,
            rois,
            folder,
            say,
        )
        return {
            "machine": machine.to_dict(),
            **{name: STAGES[name](plan).to_dict() for name in stages},
        }
