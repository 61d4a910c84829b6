"""Patches of an HDF5 file: the loader on the mapped cache against opening the file for each patch.

    python benchmarks/patches.py [FOLDER --stem NAME] [--items 64] [--rounds 5]

Without a folder, patches of 96 px are drawn in chunks of 64, compressed by gzip, as tools write
this layout. Both sides take patches in the same random order, without augmentation, in turns in one
process. Prints patches per second of both, the ratio of the medians over the rounds, and what the
decoding into the cache takes, once.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs as a script

from midog.cli.shared import print_table
from midog.data.patches.hdf5 import read_hdf5, stems_in
from midog.loading.batches import Loader
from midog.loading.crops import Passes
from midog.loading.patches import decode_patches, patch_source

BATCH = 64


@dataclass(frozen=True)
class Rates:
    """Patches per second, medians over the rounds, and the seconds of decoding once."""

    mapped: float
    per_item: float
    decode_s: float

    @property
    def ratio(self) -> float:
        """How many times as fast the loader is."""
        return self.mapped / self.per_item


def draw_file(folder: Path, count: int = 2048, side: int = 96) -> None:
    """Write train patches drawn_split_train_{x,y}.h5 of smooth noise."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 230, (count, side // 8, side // 8, 3), dtype=np.uint8)
    patches = coarse.repeat(8, 1).repeat(8, 2) + rng.integers(
        0, 16, (count, side, side, 3), dtype=np.uint8
    )
    with h5py.File(folder / "drawn_split_train_x.h5", "w") as file:
        chunks = (min(64, count), side, side, 3)
        file.create_dataset("x", data=patches, chunks=chunks, compression="gzip")
    with h5py.File(folder / "drawn_split_train_y.h5", "w") as file:
        file["y"] = (np.arange(count) % 2).astype(np.uint8).reshape(-1, 1, 1, 1)


def measure(folder: Path, stem: str, items: int, rounds: int) -> Rates:
    """Measure both sides on the train patches of a data set; items: patches of a round of the
    slower side."""
    train = read_hdf5(folder, stem).of("train")
    (path,) = train.files
    began = time.perf_counter()
    pixels = decode_patches(train, cache=True)
    decode_s = time.perf_counter() - began
    source = patch_source(pixels, train.labels, draws=Passes(len(train), len(train), 0))
    loader = Loader(source, BATCH, 0, 0)
    mapped, per_item = [], []
    for number in range(rounds):
        began = time.perf_counter()
        seen = sum(
            int(batch.images[:, 0, 0, 0].sum() >= 0) * len(batch)
            for batch in loader.batches(number)
        )
        mapped.append(seen / (time.perf_counter() - began))
        order = [
            place.number for place in source.locations(0, number)(range(min(items, len(train))))
        ]
        began = time.perf_counter()
        for place in order:
            with h5py.File(path, "r") as file:
                one = file["x"][place]
            assert np.array_equal(one, pixels[place])
        per_item.append(len(order) / (time.perf_counter() - began))
    return Rates(statistics.median(mapped), statistics.median(per_item), decode_s)


def main(words: list[str] | None = None) -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--stem")
    parser.add_argument("--items", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="midog-patches-") as made:
        folder, stem = asked.folder, asked.stem
        if folder is None:
            folder, stem = Path(made), "drawn"
            draw_file(folder)
        stem = stem or next(iter(stems_in(folder)), "")
        rates = measure(folder, stem, asked.items, asked.rounds)
    header = ["train patches", "mapped, patches/s", "opened per patch", "ratio", "decoded once, s"]
    row = [rates.mapped, rates.per_item, rates.ratio, rates.decode_s]
    print_table(header, [[stem, *(f"{value:.4g}" for value in row)]])
    return 0


if __name__ == "__main__":
    sys.exit(main())
