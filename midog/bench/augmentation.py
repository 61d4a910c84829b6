"""Augmentation: each op alone, in the form of a CPU on one core and in that of the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from midog.augment.alone import alone, none, setting_words
from midog.augment.draw import augmentation_of, cut_side, draw_numbers
from midog.augment.on_cpu import Scratch
from midog.augment.on_device import augment
from midog.augment.ops import OPS
from midog.bench.conditions import Conditions
from midog.bench.measured import Measured, measured
from midog.bench.samples import CPU, one_core
from midog.bench.timing import take_turns
from midog.config.schema import AugmentSettings
from midog.loading.references import make_references
from midog.loading.rois import DecodedRois, RoiSource, decode_rois, training_source

PATCHES = 16


def augment_stage(conditions: Conditions) -> Measured:
    """Measure patches per second, cut and augmented by one thread, and augmented on the device.

    Ops that act where patches are cut have no row of the device.
    """
    config, side = conditions.config, conditions.config.sampling.patch_size
    conditions.say(f"augment: {len(OPS)} ops, {PATCHES} patches of {side} px")
    settings = {name: alone(name, config.augment) for name in OPS}
    widest = max(cut_side(own, side) for own in settings.values())
    decoded = decode_rois(conditions.rois, config.data, config.machine, widest)
    sources = {
        name: _source(conditions, decoded, own) for name, own in {"": none(), **settings}.items()
    }
    with one_core():
        cut = {name: _cutting(source) for name, source in sources.items()}
        alone_on_cpu = take_turns(cut, rounds=conditions.rounds, device=CPU)
    on_device = {
        name: _on_device(source, conditions.device)
        for name, source in sources.items()
        if name not in ("mpp", "copy_paste")
    }
    there = take_turns(on_device, rounds=conditions.rounds, device=conditions.device)
    rows = []
    for where, taken in (("cut by one core", alone_on_cpu), (f"on {conditions.device}", there)):
        for name, seconds in taken.items():
            words = f"{name} {setting_words(getattr(settings[name], name))}" if name else "no op"
            cost = (np.median(seconds) - np.median(taken[""])) / PATCHES * 1000
            detail = {"ms_per_patch": float(cost)}
            what = f"{words}, {where}"
            rows.append(measured(what, "patches/s", PATCHES / seconds, detail=detail))
    return rows[0].with_also(*rows[1:])


def _source(conditions: Conditions, decoded: DecodedRois, own: AugmentSettings) -> RoiSource:
    config = conditions.config
    references: dict[str, Any] = make_references(
        own, decoded, (), config.data, config.sampling.patch_size
    )
    return training_source(decoded, config.sampling, own, on_cpu=True, references=references)


def _cutting(source: RoiSource) -> Callable[[], object]:
    """Cuts and augments the first patches of an epoch, on a CPU."""
    assert isinstance(source.scratch, Scratch)
    indices = [n % len(source) for n in range(PATCHES)]
    places = source.locations(0, 0)(indices)
    augmentation = source.augmentation(0, 0, indices, places)
    out = [torch.empty((PATCHES, *shape), dtype=torch.uint8) for shape in source.view_shapes]
    return lambda: source.pixels(places, augmentation, out)


def _on_device(source: RoiSource, device: torch.device) -> Callable[[], object]:
    """Augments random patches on the device."""
    assert source.augment is not None
    side = source.sampling.patch_size
    generator = torch.Generator().manual_seed(0)
    shape = (PATCHES, side, side, 3)
    images = torch.randint(0, 256, shape, generator=generator).to(torch.uint8).to(device)
    numbers = draw_numbers(0, 0, range(PATCHES))
    augmentation = augmentation_of(numbers, source.augment, source.references)
    return lambda: augment(images, augmentation)
