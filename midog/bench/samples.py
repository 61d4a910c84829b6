"""Training samples: patches with their boxes from the loader, on one core and on all threads."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import torch

from midog.bench.conditions import Conditions
from midog.bench.measured import Measured, measured
from midog.bench.timing import take_turns
from midog.config.schema import RunConfig
from midog.loading.locations import epoch_length
from midog.loading.rois import DecodedRois, decode_rois
from midog.training.tasks.detection import DetectionTask

CPU = torch.device("cpu")
PATCHES = "patches with boxes"


@dataclass(frozen=True)
class LoaderWork:
    """Epochs of patches to load.

    Args:
        decoded: The ROIs.
        configs: Of each way of loading: "crops" leaves augmentation to the device, "augmented"
            does it on the CPU.
        patches: Of an epoch.
    """

    decoded: DecodedRois
    configs: Mapping[str, RunConfig]
    patches: int

    def runs(self, workers: int) -> dict[str, Callable[[], object]]:
        """Functions that load the next epoch at each call, with so many threads."""
        loaders = {
            name: DetectionTask(
                config.with_values(machine={"workers": workers}), self.decoded, self.decoded, CPU
            ).patches
            for name, config in self.configs.items()
        }
        return {name: _epochs(loader.batches) for name, loader in loaders.items()}


def loader_work(conditions: Conditions, patches: int) -> LoaderWork:
    """Decode the ROIs for epochs of about `patches` patches."""
    places = {"crops": "device", "augmented": "cpu"}
    configs = {
        name: _config(conditions, place, max(1, patches // len(conditions.rois)))
        for name, place in places.items()
    }
    config = configs["crops"]
    side = config.sampling.patch_size
    decoded = decode_rois(conditions.rois, config.data, config.machine, side)
    batch, draws = config.train.batch_size, epoch_length(decoded.sampled, config.sampling)
    return LoaderWork(decoded, configs, -(-draws // batch) * batch)  # the last batch is filled up


def samples_stage(conditions: Conditions, *, patches: int = 1024) -> Measured:
    """Measure patches per second; about `patches` are cut in a round."""
    side = conditions.config.sampling.patch_size
    conditions.say(f"samples: {len(conditions.rois)} ROIs, {side} px patches")
    work = loader_work(conditions, patches)
    with one_core():
        alone = take_turns(work.runs(0), rounds=conditions.rounds, device=CPU)
    together = take_turns(work.runs(conditions.threads), rounds=conditions.rounds, device=CPU)
    limits = copy_limits(conditions)
    all_threads = f"{conditions.threads} threads"
    rows = [
        measured(
            f"{PATCHES}, {words}, {cores}",
            "patches/s",
            work.patches / taken[name],
            limit=limits[limit],
        )
        for taken, cores, limit in (
            (alone, "one core", "one thread"),
            (together, all_threads, "all threads"),
        )
        for name, words in (
            ("crops", "to be augmented on the device"),
            ("augmented", "augmented on the CPU"),
        )
    ]
    return rows[0].with_also(*rows[1:])


def copy_limits(conditions: Conditions) -> dict[str, tuple[str, float]]:
    """The bounds that copying a patch's bytes sets, in patches/s, by who copies."""
    size = 3 * conditions.config.sampling.patch_size**2 / 1e9
    return {
        name: (f"copying memory, {name}", rate / size)
        for name, rate in conditions.machine.copy_gb_s.items()
    }


@contextmanager
def one_core() -> Iterator[None]:
    """Let torch and OpenCV use one thread in here."""
    torch_threads, cv_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(torch_threads)
        cv2.setNumThreads(cv_threads)


def _config(conditions: Conditions, place: str, per_roi: int) -> RunConfig:
    """The config with `per_roi` patches, augmented in that place; ROIs stay where the CPU is."""
    config = conditions.config
    return config.with_values(
        machine={"augment_on": place, "residency": "disk" if config.data.cache else "memory"},
        sampling={"patches_per_roi": per_roi},
    )


def _epochs(batches: Callable[[int], Iterable[object]]) -> Callable[[], None]:
    """A function that loads the next epoch of `batches` at each call."""
    numbers = itertools.count()

    def epoch() -> None:
        for _ in batches(next(numbers)):
            pass

    return epoch
