"""Task: what a run learns, as the training loop sees it, and what a validation of it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

if TYPE_CHECKING:
    from lightning_fabric import Fabric

BatchT = TypeVar("BatchT", bound=Sized)
NetworkT = TypeVar("NetworkT", bound=nn.Module)


@dataclass(frozen=True, eq=False)
class PrecisionRecall:
    """A precision-recall curve at thresholds that are evenly spaced from 0 to 1.

    All arrays are (K,), one value per threshold, rising. tp, fp, fn: int64 counts. precision,
    recall: float64 in [0, 1].
    """

    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    fn: NDArray[np.int64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Validation:
    """What a task says of a network.

    score: decides which model is kept; higher is better, NaN where there is nothing to score.
    score_name: what the score is, as state.json and the terminal write it ("F1").
    scalars: numbers for metrics.csv, TensorBoard and model.json, by name ("val/f1").
    line: the validation's part of the epoch's line on the terminal.
    curve: for TensorBoard, where the task has one.
    pictures: (H, W, 3) uint8 each, for TensorBoard.
    """

    score: float
    score_name: str
    scalars: Mapping[str, float]
    line: str
    curve: PrecisionRecall | None = None
    pictures: Sequence[NDArray[np.uint8]] = ()


class Task(Protocol[NetworkT, BatchT]):
    """What a run learns: its network, batches, losses, validation, and how its model is written.

    The data are loaded. `batches` and `locations` are pure functions of their arguments, so that a
    run repeats to the bit however often it is interrupted.
    """

    def build(self, *, pretrained: bool) -> NetworkT:
        """Build the network on the CPU, in train mode.

        Args:
            pretrained: Load the weights that the settings name; False builds the architecture
                alone. Random weights come from torch's global generator.

        Raises:
            WeightsError: The weights cannot be fetched or do not fit.
        """

    def compile(self, network: NetworkT) -> None:
        """Have the parts of the network compiled that gain from it, in place, at their next use."""

    def steps_per_epoch(self, world: int) -> int:
        """Return the number of batches of an epoch on each of `world` processes."""

    def batches(self, epoch: int, *, start: int, rank: int, world: int) -> Iterator[BatchT]:
        """Yield the batches of an epoch from step `start` on, those of process `rank` of `world`.

        `len(batch)` is its number of patches. A batch is valid until the next one is requested.
        """

    def losses(self, network: NetworkT, batch: BatchT) -> dict[str, Tensor]:
        """Return the losses of a batch by name, each a scalar; their sum is minimised."""

    def validate(self, network: NetworkT, fabric: Fabric, check: Callable[[], None]) -> Validation:
        """Validate a network; with several processes, each does its share.

        Args:
            network: Not wrapped by `fabric`, on its device.
            fabric: Precision and processes of the training.
            check: To be called now and then; raises Interrupted where a stop was requested.
        """

    def package(
        self, network: NetworkT, validation: Validation, folder: Path, info: Mapping[str, Any]
    ) -> None:
        """Write the model folder, whole or not at all; its model.json names the task.

        Args:
            network: The weights to keep, on their device and in channels-last memory.
            validation: Of these weights.
            folder: To be made.
            info: Further plain values for model.json.
        """

    def example(self, size: int) -> BatchT:
        """Return a batch of `size` patches like those of the training, of no particular content."""

    def locations(self, epoch: int, step: int, *, rank: int, world: int) -> list[dict[str, Any]]:
        """Return where the patches of a batch are from, as plain JSON values, in order."""


@runtime_checkable
class StatefulTask(Protocol):
    """What a task offers beside `Task` that works between epochs and remembers the outcome.

    Its batches are a pure function of their arguments and of this state, which checkpoints keep.
    """

    def between_epochs(
        self, epoch: int, network: Any, fabric: Fabric, check: Callable[[], None]
    ) -> dict[str, float]:
        """Do what is due after an epoch (from 0), before its validation; not after the last one.

        It is done again, with the same outcome, where a run is resumed before the epoch's end.

        Args:
            epoch: That is trained.
            network: The weights that are validated, on their device; other processes than the first
                may hold other buffers.
            fabric: Precision and processes of the training; all of them come to the same state.
            check: To be called now and then; raises Interrupted where a stop was requested.

        Returns:
            Numbers for metrics.csv and TensorBoard, by name; empty where nothing was due.
        """

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state as tensors by name; empty at the start."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up a state from a checkpoint, whose values may be anything.

        Raises:
            ValueError: It does not fit the data.
        """


class TaskData(Protocol):
    """What a task trains on, read and checked but not loaded."""

    @property
    def fingerprint(self) -> str:
        """A digest that differs where the data differ: a run is resumed on equal data alone."""

    def describe(self) -> list[str]:
        """Return the lines that `midog train --dry-run` prints below the settings."""

    def open(self, device: torch.device) -> Task[Any, Any]:
        """Load the data for a training on `device`.

        Raises:
            DataError: An image is missing or is not the annotated one.
            ImageError: An image cannot be read or has no mpp.
        """
