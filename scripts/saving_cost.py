"""Count what saving costs over a run: bytes written, and seconds for which the training waits.

    python scripts/saving_cost.py [--epochs 200] [--epoch-seconds 0.15] [--megabytes 58]

The run's epochs do nothing but last as long as stated; its checkpoint has the size stated. It is
saved in two ways: whole, after every epoch, while the training waits (as versions before 0.2 did),
and as a run is saved now. The defaults are a tenth of the default config on an H200: 59 updates of
25 ms an epoch, and a checkpoint of 581 MB.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch

from midog.config.schema import MachineSettings, TrainSettings
from midog.training import saver as saving
from midog.training.learner import Learner, make_fabric, make_learner
from midog.training.optimise import is_due
from midog.training.runs import Run
from midog.training.saver import Saver


class Written:
    """Bytes and number of the checkpoints written."""

    def __init__(self) -> None:
        self.bytes, self.files = 0, 0
        self._write = saving.write_checkpoint

    def __call__(self, path: Path, state: object) -> None:
        self._write(path, state)  # type: ignore[arg-type]
        self.bytes, self.files = self.bytes + path.stat().st_size, self.files + 1


def learner_of(megabytes: float) -> Learner:
    """A learner whose checkpoint is that large: weights, average and two moments."""
    side = int((megabytes * 1e6 / 16) ** 0.5)
    network = torch.nn.Linear(side, side, bias=False)
    machine = MachineSettings(device="cpu", precision="32-true")
    learner = make_learner(network, TrainSettings(), make_fabric(machine))
    network.weight.grad = torch.zeros_like(network.weight)
    learner.optimizer.step()
    return learner


def run(learner: Learner, folder: Path, options: argparse.Namespace, *, before: bool) -> float:
    """Train and save in one of the two ways; return the seconds for which the training waited."""
    settings, waited = TrainSettings(epochs=options.epochs), 0.0
    saver = Saver(learner, Run(folder, resumes=False), {"steps": 1}, options.save_minutes)
    with saver:
        for epoch in range(options.epochs):
            time.sleep(options.epoch_seconds)
            learner.progress.epoch = epoch + 1
            began = time.perf_counter()
            if before or is_due(epoch, settings):
                saver.save()
            else:
                saver.save_if_due(epoch_ended=True)
            if before or epoch + 1 == options.epochs:
                saver.wait()
            waited += time.perf_counter() - began
    return waited


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--epoch-seconds", type=float, default=0.15)
    parser.add_argument("--megabytes", type=float, default=58.0)
    parser.add_argument("--save-minutes", type=float, default=0.5)
    options = parser.parse_args()
    learner = learner_of(options.megabytes)
    for name, before in (("after every epoch, waited for", True), ("now", False)):
        saving.write_checkpoint = written = Written()
        with tempfile.TemporaryDirectory() as folder:
            waited = run(learner, Path(folder), options, before=before)
        saving.write_checkpoint = written._write
        print(
            f"{name}: {written.files} checkpoints, {written.bytes / 1e9:.2f} GB,"
            f" {waited:.1f} s waited for over {options.epochs * options.epoch_seconds:.0f} s of"
            " training"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
