"""Places of one slide at which patches are cut: a grid of windows, their tissue and their label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from midog.boxes import IntArray
from midog.errors import DataError
from midog.random_streams import seeded
from midog.tissue.mask import TissueMask
from midog.tumour.truth import SlideTruth

MOST_WINDOWS = 20_000_000
"""Of the grid of a slide; CAMELYON16's largest has some 2 million windows of 299 px every 128."""


@dataclass(frozen=True)
class WindowRule:
    """Which windows are patches, and of which class; px are those of a patch.

    Attributes:
        side: Of a window.
        mpp: um/px.
        stride: From one window of the grid to the next.
        centre: Side of the middle of a window that decides its label.
        shift: Largest random shift of a window along x and y.
        min_tumour: Least share of the middle that is tumour in a window labelled so; 0: any.
        min_tissue: Least share of a window labelled normal that is tissue.
        per_slide: Most windows of either class of a slide.
        ratio: Normal windows for one of tumour, in a slide that has tumour.
    """

    side: int = 256
    mpp: float = 1.0
    stride: int = 192
    centre: int = 256
    shift: int = 0
    min_tumour: float = 0.0
    min_tissue: float = 0.75
    per_slide: int = 1000
    ratio: float = 1.0

    def __post_init__(self) -> None:
        if self.centre > self.side:
            raise DataError(
                f"the middle of {self.centre} px is larger than windows of {self.side} px",
                "choose a smaller {centre}",
                {"centre": None},
            )


@dataclass(frozen=True, eq=False)
class Windows:
    """N windows of a slide, and what was left out.

    Attributes:
        centres: (N, 2) float64 x y, level-0 px.
        labels: (N,) int64: 1 tumour, 0 normal.
        shares: (N, 2) float64: of each that is tumour, and tissue.
        counts: Windows of the grid, those with enough tissue by class, and of both too little
            tumour and too much; by words.
    """

    centres: NDArray[np.float64]
    labels: IntArray
    shares: NDArray[np.float64]
    counts: dict[str, int]


def sample_windows(
    truth: SlideTruth, tissue: TissueMask | None, mpp: float, rule: WindowRule, seed: int
) -> Windows:
    """Choose windows of a slide.

    A window is tumour where more than none, or at least `min_tumour`, of its middle is; normal
    where none of its middle is, and enough of it is tissue. Of each class as many are drawn as the
    rule allows. Windows without any tissue are left out.

    Args:
        truth: Where it is tumour.
        tissue: Where it is tissue; None: everywhere.
        mpp: um/px of level 0.
        rule: Of windows.
        seed: Of shifts and of the draw, the slide's own.

    Returns:
        The windows, from the top down.

    Raises:
        DataError: The grid has too many windows.
    """
    rng = seeded("places", seed)
    scale = rule.mpp / mpp  # level-0 px for a px of a patch
    centres = grid(truth.size, rule.side * scale, rule.stride * scale)
    if rule.shift:
        centres = centres + rng.uniform(-1, 1, centres.shape) * rule.shift * scale
    half = rule.side * scale / 2
    centres = np.clip(centres, half, np.array(truth.size, float) - half)
    # half px, so that a table states places whole
    centres = np.round(centres * 2) / 2
    windows = len(centres)
    tissue_share = np.ones(windows)
    if tissue is not None:
        tissue_share = tissue.share_in(_boxes(centres, half))
        centres, tissue_share = centres[tissue_share > 0], tissue_share[tissue_share > 0]
    middle = truth.share_in(_boxes(centres, max(rule.centre * scale / 2, 0.5)))
    is_tumour = (middle > 0) & (middle >= rule.min_tumour)
    is_normal = (middle == 0) & (tissue_share >= rule.min_tissue)
    counts = {
        "windows": windows,
        "tumour": int(is_tumour.sum()),
        "normal": int(is_normal.sum()),
        "too little tumour": int(((middle > 0) & ~is_tumour).sum()),
        "too little tissue": int(windows - len(centres) + ((middle == 0) & ~is_normal).sum()),
    }
    chosen = _drawn(rng, np.flatnonzero(is_tumour), np.flatnonzero(is_normal), rule)
    whole = truth.share_in(_boxes(centres[chosen], half))
    return Windows(
        centres[chosen],
        is_tumour[chosen].astype(np.int64),
        np.stack([whole, tissue_share[chosen]], axis=1),
        counts,
    )


def grid(size: tuple[int, int], side: float, stride: float) -> NDArray[np.float64]:
    """Return the centres of windows that lie whole in a slide, row by row.

    Args:
        size: (width, height) of the slide.
        side, stride: Of the windows, in the same px.

    Returns:
        (N, 2) x y; none where the slide is smaller than a window.

    Raises:
        DataError: There are over MOST_WINDOWS.
    """
    counts = [int((length - side) // stride) + 1 if length >= side else 0 for length in size]
    if counts[0] * counts[1] > MOST_WINDOWS:
        raise DataError(
            f"a grid of {counts[0]} x {counts[1]} windows has over {MOST_WINDOWS:,}",
            "choose a larger {stride}",
            {"stride": None},
        )
    x, y = (np.arange(count) * stride + side / 2 for count in counts)
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def _drawn(
    rng: np.random.Generator, tumour: IntArray, normal: IntArray, rule: WindowRule
) -> IntArray:
    """Which windows are taken, in their order."""
    tumour = rng.permutation(tumour)[: rule.per_slide]
    most = rule.per_slide
    if len(tumour):
        most = min(most, max(1, round(rule.ratio * len(tumour))))
    return np.sort(np.concatenate([tumour, rng.permutation(normal)[:most]]))


def _boxes(centres: NDArray[np.float64], half: float) -> NDArray[np.float64]:
    return np.hstack([centres - half, centres + half])
