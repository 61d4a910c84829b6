"""Slides dealt to train, val and test, so that each part gets its share of both classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from midog.boxes import IntArray
from midog.errors import ConfigError
from midog.random_streams import split_generator


def deal_slides(
    slides: Sequence[str], labels: IntArray, *, val: float, test: float, seed: int
) -> dict[str, str]:
    """Return the part of each slide: train, val or test.

    The largest slides are dealt first, each to the part that lacks most of what the slide has: a
    class of few slides is spread over the parts before slides of the other class fill them up.
    Slides of about one size (within a factor of two) are dealt in an order that the seed draws.

    Args:
        slides: Of each of N patches.
        labels: (N,) int64, 0 or 1.
        val, test: Shares of the patches, above 0; the rest is train.
        seed: Of the order.

    Raises:
        ConfigError: Nothing is left for train.
    """
    shares = {"train": 1 - val - test, "val": val, "test": test}
    if min(shares.values()) <= 0:
        raise ConfigError(
            f"shares of {val:g} for val and {test:g} for test leave a part without patches",
            "choose shares above 0 that sum to below 1",
        )
    names, of_slide = np.unique(np.asarray(slides, dtype=str), return_inverse=True)
    counts = np.bincount(2 * of_slide + labels, minlength=2 * len(names)).reshape(-1, 2)
    parts = list(shares)
    wanted = np.array([shares[part] for part in parts])[:, None] * counts.sum(axis=0)
    wanted = np.maximum(wanted, 1e-9)  # of a class without patches
    given = np.zeros_like(wanted)
    dealt: dict[str, str] = {}
    for number in _largest_first(counts, seed).tolist():
        lack = 1 - given / wanted
        weights = counts[number] / np.maximum(counts.sum(axis=0), 1)
        part = int(np.argmax(lack @ weights))
        given[part] += counts[number]
        dealt[str(names[number])] = parts[part]
    return dealt


def _largest_first(counts: IntArray, seed: int) -> IntArray:
    """Slides by falling share of a class's patches; those of one octave in random order."""
    share = (counts / np.maximum(counts.sum(axis=0), 1)).max(axis=1)
    octave = np.ceil(np.log2(share))
    shuffled = split_generator([seed]).permutation(len(counts))
    return np.asarray(shuffled[np.argsort(-octave[shuffled], kind="stable")], np.int64)
