"""A task without images for tests of the loop: a linear layer learns the sum of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from midog.config.schema import MachineSettings, TrainSettings
from midog.training.interrupts import Interrupts
from midog.training.learner import Learner, make_fabric, make_learner
from midog.training.tasks.task import Validation
from midog.training.watch import Watch


class LineTask:
    """`steps` batches of two numbers an epoch. scores: of the validations, in turn, then 0."""

    def __init__(self, steps: int = 3, scores: tuple[float, ...] = ()) -> None:
        self.steps, self.scores = steps, list(scores)

    def build(self, *, pretrained: bool) -> nn.Module:
        return nn.Linear(2, 1)

    def compile(self, network: nn.Module) -> None:
        network.compile()

    def steps_per_epoch(self, world: int) -> int:
        return self.steps

    def batches(self, epoch: int, *, start: int, rank: int, world: int) -> Iterator[Tensor]:
        for step in range(start, self.steps):
            yield torch.tensor([[epoch, step], [step, rank]], dtype=torch.float32)

    def losses(self, network: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        return {"error": (network(batch)[:, 0] - batch.sum(dim=1)).square().mean()}

    def validate(self, network: nn.Module, fabric: Any, check: Callable[[], None]) -> Validation:
        score = self.scores.pop(0) if self.scores else 0.0
        check()
        return Validation(score, "closeness", {"val/closeness": score}, f"closeness {score}")

    def package(
        self, network: nn.Module, validation: Validation, folder: Path, info: dict[str, Any]
    ) -> None:
        folder.mkdir()
        (folder / "model.txt").write_text(f"{validation.score} {sorted(info)}")

    def example(self, size: int) -> Tensor:
        return torch.zeros(size, 2)

    def locations(self, epoch: int, step: int, *, rank: int, world: int) -> list[dict[str, Any]]:
        return [{"epoch": epoch, "step": step, "rank": rank}]


def line_learner(settings: TrainSettings) -> Learner:
    """A learner of the task's network, on the CPU."""
    torch.manual_seed(0)
    return make_learner(
        LineTask().build(pretrained=False),
        settings,
        make_fabric(MachineSettings(device="cpu", precision="32-true")),
    )


def watch_of(learner: Learner, folder: Path, accumulate: int = 1) -> Watch:
    """A watch that nobody interrupts."""
    return Watch(learner, LineTask(), folder, TrainSettings(accumulate=accumulate), Interrupts())
