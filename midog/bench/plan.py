"""What a benchmark is told: device, threads, rounds, settings and data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from midog.bench.machine import Machine
from midog.config.load import parse_config
from midog.config.schema import RunConfig
from midog.data.roi import Roi


@dataclass(frozen=True)
class Plan:
    """What all stages share.

    device: of the network. machine: its limits. configs: by name; the first is what a stage's own
    figures are of, the others stand beside it. threads: of the CPU. rounds: at most, see
    `timing.take_turns`. batch: patches of a step.
    detections: that are swept. rois: to cut patches from and detect in. folder: for what is
    written.
    say: takes a line of progress.
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

    def conv_limit(self, precision: str, gflop: float) -> tuple[str, float]:
        """What convolutions alone would allow for work of so many 1e9 operations each."""
        return f"convolutions in {precision}", self.machine.convolution_gflop_s[precision] / gflop


def with_settings(config: RunConfig, **sections: Mapping[str, object]) -> RunConfig:
    """The config with some values changed, section by section; checked as any config is."""
    tree = config.to_dict()
    for section, values in sections.items():
        tree[section] |= values
    return parse_config(tree)
