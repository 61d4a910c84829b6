"""Every stream of random numbers: which generator a seed, a purpose and a number lead to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

Stream = Literal["order", "train", "validation", "augment"]

STREAMS: dict[Stream, int] = {"order": 1, "train": 2, "validation": 3, "augment": 4}
"""Streams of a training, each with the number that stands for it in the generator's key.

order: the ROIs of an epoch, shuffled. train: where a training patch is cut. validation: where a
validation patch is cut. augment: what is done to a training patch.
"""

Purpose = Literal[
    "bootstrap",
    "sides",
    "deals",
    "orders",
    "halves",
    "patches",
    "pixels",
    "tumour",
    "roi",
    "slide",
    "places",
    "timed",
    "references",
]

PURPOSES: dict[Purpose, str] = {
    "bootstrap": "seed: patients drawn with replacement (metrics/bootstrap.py)",
    "sides": "seed: which patients swap sides (metrics/permutation.py)",
    "deals": "seed: scanners dealt anew to patients (metrics/value_mix.py)",
    "orders": "0: orders of the values of a rank correlation (metrics/rank_correlation.py)",
    "halves": "seed, draw: patients put in one order and cut in two (shift/halves.py)",
    "patches": "seed: equally many patches of each half (shift/halves.py)",
    "pixels": "0: the pixels of many that statistics are taken of (shift/images.py)",
    "tumour": "seed, 0, patient: how a drawn tumour looks (data/phantom)",
    "roi": "seed, 1, ROI: what is drawn into it (data/phantom)",
    "slide": "seed, 2, slide: what is drawn on it (data/phantom)",
    "places": "number of the slide's file: which of its places are taken (tumour/sample.py)",
    "references": "number of the ROI's file: where patches for ops are cut (loading/references.py)",
    "timed": "seed: ROIs that are made up to be timed (bench)",
}
"""What `seeded` is used for, each with the numbers that its key is made of."""


def generator(seed: int, stream: Stream, epoch: int, index: int) -> np.random.Generator:
    """Return the generator that belongs to one draw of a stream, and to no other.

    Philox is counter-based (Salmon et al., 'Parallel random numbers: as easy as 1, 2, 3', SC
    2011), so that (epoch, index) is simply its counter.

    Args:
        seed: 0 to 2**63 - 1.
        stream: One of `STREAMS`.
        epoch: From 0.
        index: Number of the draw in its epoch, from 0.
    """
    return np.random.Generator(
        np.random.Philox(key=[seed, STREAMS[stream]], counter=[0, 0, epoch, index])
    )


def generators(
    seed: int, stream: Stream, epoch: int, indices: Sequence[int]
) -> Iterator[np.random.Generator]:
    """Yield the generators of several draws, each valid until the next is taken.

    It is one object, set to the counter of each draw: a new one costs ten times as much.

    Args:
        seed, stream, epoch: As for `generator`.
        indices: Numbers of the draws, in any order.
    """
    philox = np.random.Philox(key=[seed, STREAMS[stream]])
    shared = np.random.Generator(philox)
    state, counter = philox.state, np.array([0, 0, epoch, 0], np.uint64)
    state["state"]["counter"] = counter
    for index in indices:
        counter[3] = index
        philox.state = state
        yield shared


def seeded(purpose: Purpose, *key: int) -> np.random.Generator:
    """Return numpy's default generator for a purpose that draws all its numbers in one go.

    Args:
        purpose: One of `PURPOSES`; it names the use and does not enter the numbers.
        key: The numbers that it states, each 0 or more.
    """
    assert purpose in PURPOSES, purpose
    return np.random.default_rng(list(key))


def split_generator(key: Sequence[int]) -> np.random.Generator:
    """Return the generator that draws the patients of a split; key: seed, then the fold."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(list(key))))


def seed_of_names(seed: int, names: Sequence[str]) -> int:
    """Return the seed (32 bits) that belongs to a group of names, whatever other groups exist."""
    words = "\n".join(sorted(names)).encode()
    return int(np.random.SeedSequence([seed, *words]).generate_state(1)[0])


def number_of_file(seed: int, file_name: str, purpose: str) -> int:
    """Return 64 bits that belong to a seed, a file and a purpose, the same on every machine."""
    text = f"{seed}\n{file_name}\n{purpose}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
