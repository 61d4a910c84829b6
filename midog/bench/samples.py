"""Training samples: patches with their boxes by the loader, against OpenSlide, pandas and
albumentations for each."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import cv2
import torch

from midog.bench.plain_samples import Colour, PlainPatches, plain_loader
from midog.bench.plan import Plan, with_settings
from midog.bench.result import Compared, compare
from midog.bench.timing import Seconds, take_turns
from midog.config.schema import RunConfig
from midog.loading.locations import epoch_length, locations
from midog.loading.rois import DecodedRois, decode_rois
from midog.training.tasks.detection import training_loader

_CPU = torch.device("cpu")
_ONE = "OpenSlide, pandas and albumentations"
_OURS = "patches with boxes"


def samples_stage(plan: Plan, *, ours: int = 1024, plain: int = 96) -> Compared:
    """Patches a second on one core and on all; `ours` and `plain`: how many are cut in a round,
    about.

    Raises ConfigError without albumentations.
    """
    side = plan.config.sampling.patch_size
    plan.say(f"samples: {len(plan.rois)} ROIs, {side} px patches")
    configs = {place: _config(plan, place, ours) for place in ("device", "cpu")}
    sampling = configs["device"].sampling
    config = configs["device"]
    decoded = decode_rois(plan.rois, config.data, config.machine, side)
    total = epoch_length(decoded.sampled, sampling)
    spots = locations(decoded.sampled, sampling, 0, 0, list(range(min(plain, total))))
    colours: tuple[Colour, ...] = ("jitter", "stain")
    patches = {colour: PlainPatches(plan.rois, spots, side, colour) for colour in colours}
    loader = plain_loader(patches["jitter"], plan.config.train.batch_size, plan.threads)

    def both(workers: int) -> dict[str, Callable[[], object]]:
        return {
            "crops": _epochs(decoded, configs["device"], workers),
            "augmented": _epochs(decoded, configs["cpu"], workers),
        }

    one_by_one: dict[str, Callable[[], object]] = {
        colour: functools.partial(_each, patches[colour]) for colour in colours
    }
    with _one_core():
        alone = take_turns({**both(0), **one_by_one}, rounds=plan.rounds, device=_CPU)
    together = {**both(plan.threads), "jitter": lambda: list(loader)}
    return _result(
        plan, alone, take_turns(together, rounds=plan.rounds, device=_CPU), total, patches
    )


def _result(
    plan: Plan,
    alone: dict[str, Seconds],
    together: dict[str, Seconds],
    total: int,
    patches: Mapping[Colour, PlainPatches],
) -> Compared:
    """One core first; then with the colours moved by HEStain, and on all threads against as many
    worker processes."""
    plain, size = len(patches["jitter"]), 3 * plan.config.sampling.patch_size**2 / 1e9
    limits = {
        name: (f"copying memory, {name}", rate / size)
        for name, rate in plan.machine.copy_gb_s.items()
    }
    on_cpu = f"{_OURS}, augmented on the CPU"
    workers = f"{_ONE} by {plan.threads} worker processes"

    def row(
        what: str,
        plainly: str,
        times: dict[str, Seconds],
        names: tuple[str, str],
        limit: str = "one thread",
    ) -> Compared:
        own, other = (
            count / times[name] for count, name in zip((total, plain), names, strict=True)
        )
        return compare(what, plainly, "patches/s", own, other, limit=limits[limit])

    also = (
        row(f"{on_cpu}, one core", f"{_ONE} (ColorJitter)", alone, ("augmented", "jitter")),
        row(f"{on_cpu}, one core", f"{_ONE} (HEStain)", alone, ("augmented", "stain")),
        row(
            f"{_OURS}, {plan.threads} threads",
            workers,
            together,
            ("crops", "jitter"),
            "all threads",
        ),
        row(
            f"{on_cpu}, {plan.threads} threads",
            workers,
            together,
            ("augmented", "jitter"),
            "all threads",
        ),
    )
    return compare(
        f"{_OURS}, to be augmented on the device, one core",
        f"{_ONE} (ColorJitter)",
        "patches/s",
        total / alone["crops"],
        plain / alone["jitter"],
        limit=limits["one thread"],
        detail={"plain_ms_per_patch": {name: _parts(each) for name, each in patches.items()}},
        also=also,
    )


def _parts(patches: PlainPatches) -> dict[str, float]:
    """Milliseconds that a patch took on average, by what they were spent on."""
    return {name: 1000 * seconds / patches.made for name, seconds in patches.spent.items()}


def _config(plan: Plan, place: str, patches: int) -> RunConfig:
    """The plan's config with about so many patches an epoch, augmented in that place; ROIs stay
    where the CPU is."""
    per_roi = max(1, patches // len(plan.rois))
    residency = "disk" if plan.config.data.cache else "memory"
    return with_settings(
        plan.config,
        machine={"augment_on": place, "residency": residency},
        sampling={"patches_per_roi": per_roi},
    )


def _epochs(decoded: DecodedRois, config: RunConfig, workers: int) -> Callable[[], None]:
    """A function that goes through the next epoch's batches at each call."""
    config, numbers = with_settings(config, machine={"workers": workers}), itertools.count()
    loader = training_loader(decoded, config, _CPU)

    def epoch() -> None:
        for _ in loader.batches(next(numbers)):
            pass

    return epoch


def _each(patches: PlainPatches) -> None:
    for index in range(len(patches)):
        patches[index]


@contextmanager
def _one_core() -> Iterator[None]:
    """torch and OpenCV use one thread in here."""
    torch_threads, cv_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(torch_threads)
        cv2.setNumThreads(cv_threads)
