"""The conditions that all stages are measured under: device, threads, rounds, settings and ROIs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from midog.bench.drawn_rois import draw_rois, workshop
from midog.bench.machine import Machine, measure_machine
from midog.bench.options import BenchOptions
from midog.config.schema import RunConfig
from midog.data.roi import Roi
from midog.devices import pick_device
from midog.training.tasks.detection_data import of_role, read_training_rois

_BATCHES = {"cpu": 1, "cuda": 16, "mps": 4}


@dataclass(frozen=True)
class Conditions:
    """What all stages share.

    Args:
        device: Of the network.
        machine: Its limits.
        configs: By name; a stage's first figures are those of the first, the others are measured
            in the same turns.
        threads: Of the CPU.
        rounds: At most, see `timing.take_turns`.
        batch: Patches of a step.
        detections: How many are scored.
        rois: To cut patches from and detect in.
        folder: For what is written.
        say: Prints a line of progress.
    """

    device: torch.device
    machine: Machine
    configs: Mapping[str, RunConfig]
    threads: int
    rounds: int
    batch: int
    detections: int
    rois: list[Roi]
    folder: Path
    say: Callable[[str], None]

    @property
    def config(self) -> RunConfig:
        """The first of the configs."""
        return next(iter(self.configs.values()))

    def convolution_limit(self, precision: str, gflop: float) -> tuple[str, float]:
        """The bound that convolutions alone set on work of `gflop` 1e9 operations each: its words
        and its rate in work per second."""
        return f"convolutions in {precision}", self.machine.convolution_gflop_s[precision] / gflop


@contextmanager
def prepared(
    configs: Mapping[str, RunConfig],
    options: BenchOptions,
    *,
    with_rois: bool,
    say: Callable[[str], None],
) -> Iterator[Conditions]:
    """Measure the machine and draw ROIs; drawn files and threads are undone at the end.

    Args:
        configs: By name; their weights are random, whatever they name.
        with_rois: Whether a stage needs ROIs. They are drawn, or are the training ROIs of the
            first config's data if `options.own_data`.

    Raises:
        DeviceError: If the device does not exist.
    """
    device = pick_device(options.device)
    configs = {
        name: config.with_values(model={"weights": "none"}) for name, config in configs.items()
    }
    batch, before = options.batch or _BATCHES[device.type], torch.get_num_threads()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    threads = torch.get_num_threads()
    try:
        with workshop() as folder:
            say("machine: measuring its limits")
            machine = measure_machine(device, threads, batch=batch)
            rois: list[Roi] = []
            if options.own_data:
                rois = of_role(read_training_rois(next(iter(configs.values())).data), "train")
            elif with_rois:
                say(f"drawing ROIs of {options.roi[0]}x{options.roi[1]} px")
                rois = draw_rois(folder, *options.roi)
            yield Conditions(
                device=device,
                machine=machine,
                configs=configs,
                threads=threads,
                rounds=options.rounds,
                batch=batch,
                detections=options.detections,
                rois=rois,
                folder=folder,
                say=say,
            )
    finally:
        torch.set_num_threads(before)
