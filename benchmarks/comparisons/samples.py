"""Training samples: the loader against OpenSlide, pandas and albumentations for each patch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from benchmarks.baselines.notebook_samples import (
    Colour,
    NotebookPatches,
    load_albumentations,
    notebook_loader,
)
from benchmarks.comparisons.compared import Compared, compare
from midog.bench.conditions import Conditions
from midog.bench.samples import CPU, PATCHES, copy_limits, loader_work, one_core
from midog.bench.timing import Seconds, take_turns
from midog.loading.locations import locations

_NOTEBOOK = "OpenSlide, pandas and albumentations"
_COLOURS: tuple[Colour, ...] = ("jitter", "stain")


def compare_samples(conditions: Conditions, *, ours: int = 1024, plain: int = 96) -> Compared:
    """Patches per second on one core and on all; about `ours` and `plain` are cut in a round.

    Raises:
        ConfigError: If albumentations is not installed.
    """
    load_albumentations()
    config = conditions.config
    side = config.sampling.patch_size
    conditions.say(f"samples: {len(conditions.rois)} ROIs, {side} px patches")
    work = loader_work(conditions, ours)
    indices = list(range(min(plain, work.patches)))
    places = locations(work.decoded.sampled, work.configs["crops"].sampling, 0, 0, indices)
    patches = {
        colour: NotebookPatches(conditions.rois, places, side, colour) for colour in _COLOURS
    }
    loader = notebook_loader(patches["jitter"], config.train.batch_size, conditions.threads)
    one_by_one: dict[str, Callable[[], object]] = {
        colour: functools.partial(_make_all, patches[colour]) for colour in _COLOURS
    }
    with one_core():
        alone = take_turns({**work.runs(0), **one_by_one}, rounds=conditions.rounds, device=CPU)
    runs = {**work.runs(conditions.threads), "jitter": lambda: list(loader)}
    together = take_turns(runs, rounds=conditions.rounds, device=CPU)
    return _result(conditions, alone, together, work.patches, patches)


def _result(
    conditions: Conditions,
    alone: dict[str, Seconds],
    together: dict[str, Seconds],
    total: int,
    patches: Mapping[Colour, NotebookPatches],
) -> Compared:
    """One core first; then with HEStain, and on all threads against as many worker processes."""
    plain, limits = len(patches["jitter"]), copy_limits(conditions)
    on_cpu = f"{PATCHES}, augmented on the CPU"
    threads = f"{conditions.threads} threads"
    workers = f"{_NOTEBOOK} by {conditions.threads} worker processes"

    def row(
        what: str,
        plainly: str,
        times: dict[str, Seconds],
        names: tuple[str, str],
        limit: str = "one thread",
        detail: Mapping[str, object] | None = None,
    ) -> Compared:
        own, other = (
            count / times[name] for count, name in zip((total, plain), names, strict=True)
        )
        return compare(what, plainly, "patches/s", own, other, limit=limits[limit], detail=detail)

    first = row(
        f"{PATCHES}, to be augmented on the device, one core",
        f"{_NOTEBOOK} (ColorJitter)",
        alone,
        ("crops", "jitter"),
        detail={"plain_ms_per_patch": {name: _parts(made) for name, made in patches.items()}},
    )
    crops, augmented = ("crops", "jitter"), ("augmented", "jitter")
    return first.with_also(
        row(f"{on_cpu}, one core", f"{_NOTEBOOK} (ColorJitter)", alone, augmented),
        row(f"{on_cpu}, one core", f"{_NOTEBOOK} (HEStain)", alone, ("augmented", "stain")),
        row(f"{PATCHES}, {threads}", workers, together, crops, "all threads"),
        row(f"{on_cpu}, {threads}", workers, together, augmented, "all threads"),
    )


def _parts(patches: NotebookPatches) -> dict[str, float]:
    """Milliseconds that a patch took on average, by what they were spent on."""
    return {name: 1000 * seconds / patches.made for name, seconds in patches.spent.items()}


def _make_all(patches: NotebookPatches) -> None:
    for index in range(len(patches)):
        patches[index]
