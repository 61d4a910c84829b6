"""`midog train` of a line on two processes, with a fault: python two_ranks.py FAULT:RANK train …

Faults: none, slow (saving takes 8 s), memory, device, nan, hang (a process that waits for ever).
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from midog.config.schema import RunConfig
from midog.training import saver
from midog.training.tasks.registry import TASKS, TaskEntry, TaskSettings
from tests.training.line_task import LineTask

fault, _, rank = sys.argv.pop(1).partition(":")
is_here = rank == os.environ.get("MIDOG_RANK", "0")


class FaultyTask(LineTask):
    """Goes wrong in the third epoch."""

    def losses(self, network, batch):
        time.sleep(0.02)
        losses = super().losses(network, batch)
        if batch[0, 0] < 2 or not is_here:
            return losses
        if fault == "memory":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        if fault == "device":
            raise torch.AcceleratorError("CUDA error: unspecified launch failure")
        if fault == "hang":
            time.sleep(1000)
        return {"error": losses["error"] * float("nan" if fault == "nan" else "1")}

    def example(self, size):
        return torch.ones(size, 2)


@dataclass(frozen=True)
class LineData:
    config: RunConfig
    fingerprint: str = "line"

    def describe(self) -> list[str]:
        return []

    def open(self, device: torch.device) -> FaultyTask:
        return FaultyTask()


class LineSettings(TaskSettings):
    kind: str = "line"


def slow(path: Path, state) -> None:
    time.sleep(8)
    write(path, state)
    sys.stderr.write("saved\n")


TASKS["line"] = TaskEntry("a line", LineSettings, lambda config, rois: LineData(config))
write = saver.write_checkpoint
if fault == "slow":
    saver.write_checkpoint = slow

if __name__ == "__main__":
    from midog.__main__ import main

    main()
