"""Patches read from slides: the loader on an index of places against opening the slide for each.

    python benchmarks/places.py INDEX [--items 64] [--rounds 5] [--workers 2]

INDEX is a folder of `midog patches sample`. Both sides read the same places of train in the same
random order, without augmentation, in turns in one process. The baseline opens the slide by
OpenSlide for each patch, reads the level that is fine enough and resizes it. Prints patches per
second of both, and the ratio of the medians over the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openslide
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs as a script

from midog.cli.shared import print_table
from midog.data.patches.places import read_places
from midog.images.pixels import Pixels
from midog.loading.batches import Loader
from midog.loading.crops import Passes
from midog.loading.slide_crops import SlideCropSource, slide_crops

BATCH = 32


@dataclass(frozen=True)
class Rates:
    """Patches per second, medians over the rounds."""

    loader: float
    per_item: float

    @property
    def ratio(self) -> float:
        """How many times as fast the loader is."""
        return self.loader / self.per_item


def opened_for_one(path: Path, x: float, y: float, side: int, downsample: float) -> Pixels:
    """A patch around a point of level 0, as a plain data set reads it."""
    with openslide.OpenSlide(path) as slide:
        level = slide.get_best_level_for_downsample(downsample + 1e-3)
        own = slide.level_downsamples[level]
        wide = round(side * downsample / own)
        corner = (round(x - side * downsample / 2), round(y - side * downsample / 2))
        region = slide.read_region(corner, level, (wide, wide)).convert("RGB")
        return np.asarray(region.resize((side, side), Image.Resampling.BICUBIC))


def measure(folder: Path, items: int, rounds: int, workers: int) -> Rates:
    """Measure both sides; items: patches of a round."""
    train = read_places(folder).of("train")
    where = train.in_slides
    assert where is not None
    items = min(items, len(train))
    source = slide_crops(train, None, Passes(len(train), items, 0))
    loader = Loader(source, min(BATCH, items), workers, 0)
    by_loader, per_item = [], []
    for number in range(rounds):
        began = time.perf_counter()
        seen = sum(int(batch.images.sum() > 0) * len(batch) for batch in loader.batches(number))
        by_loader.append(seen / (time.perf_counter() - began))
        order = [place.number for place in source.locations(0, number)(range(items))]
        began = time.perf_counter()
        for place in order:
            slide = int(where.slides[place])
            x, y = where.centres[place].tolist()
            own = opened_for_one(where.paths[slide], x, y, train.side, source.scales[slide])
            assert own.shape == (train.side, train.side, 3)
        per_item.append(len(order) / (time.perf_counter() - began))
    return Rates(statistics.median(by_loader), statistics.median(per_item))


def differing(folder: Path, source: SlideCropSource, number: int) -> float:
    """Mean difference of both sides' px of one place, grey levels."""
    where = read_places(folder).of("train").in_slides
    assert where is not None
    ours = np.empty((source.side, source.side, 3), np.uint8)
    source.cut(number, ours)
    slide = int(where.slides[number])
    x, y = where.centres[number].tolist()
    theirs = opened_for_one(where.paths[slide], x, y, source.side, source.scales[slide])
    return float(np.abs(ours.astype(int) - theirs).mean())


def main(words: list[str] | None = None) -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("index", type=Path)
    parser.add_argument("--items", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args(words)
    rates = measure(asked.index, asked.items, asked.rounds, asked.workers)
    header = ["index", "loader, patches/s", "opened per patch", "ratio"]
    row = [f"{value:.4g}" for value in (rates.loader, rates.per_item, rates.ratio)]
    print_table(header, [[asked.index.name, *row]])
    return 0


if __name__ == "__main__":
    sys.exit(main())
